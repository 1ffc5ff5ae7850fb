import { BERTH } from '../../../broker/audit/store.js'
import type { Engine } from '../../support/simulated-engine.js'

export type NamedAct =
  | { readonly do: 'dedicate' | 'sit down'; readonly user: string }
  | { readonly do: 'release the named one' }

/**
 * A machine in no pool, that an administrator gives for good and that people at thin clients have
 * by name; with a memory of its own of whose it is.
 */
export class NamedMachine {
  #holder: { user: string; fixed: boolean } | null = null

  constructor(readonly name: string) {}

  /** Throws what the broker refuses. */
  async act(engine: Engine, act: NamedAct): Promise<void> {
    const { assignments } = engine.handingOut
    if (act.do === 'release the named one') {
      await assignments.release(this.name, BERTH, { force: true, because: 'the walk' })
      this.#holder = null
    } else if (act.do === 'dedicate') {
      await assignments.assignMachine(this.name, act.user, {}, BERTH, AbortSignal.abort())
      this.#holder = { user: act.user, fixed: true }
    } else {
      const { id } = await engine.store
        .selectFrom('machine')
        .select('id')
        .where('name', '=', this.name)
        .executeTakeFirstOrThrow()
      await assignments.claimNamed(id, `user:${act.user}`)
      const fixed = this.#holder?.fixed === true
      if (!fixed || this.#holder?.user === act.user) this.#holder = { user: act.user, fixed }
    }
  }

  async faults(engine: Engine): Promise<string[]> {
    const rows = await engine.store
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .select(['holder', 'fixed'])
      .where('machine.name', '=', this.name)
      .execute()
    const seen = rows
      .map((row) => `${row.holder.slice('user:'.length)}${row.fixed === 1 ? ' for good' : ''}`)
      .join()
    const own =
      this.#holder === null ? '' : `${this.#holder.user}${this.#holder.fixed ? ' for good' : ''}`
    return seen === own
      ? []
      : [`${this.name} is ${seen || 'nobody'}'s and was ${own || 'nobody'}'s`]
  }
}
