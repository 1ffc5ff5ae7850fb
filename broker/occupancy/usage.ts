import type { Store } from '../store/open.js'
import type { Occupancy } from './occupancy.js'
import { reasonInUse } from './policy.js'

/** `now`: by which the times of assignments are counted. */
export interface UsageDeps {
  readonly store: Store
  readonly occupancy: Pick<Occupancy, 'use'>
  readonly now: () => number
  readonly releaseAfterMs: number
}

/** Machines in one question; SQLite takes 32,766. */
const AT_ONCE = 500

/**
 * Which machines count as in use: what is seen of them, and what is written of who has them. Asked
 * by whoever would take one from somebody, or recreate it.
 */
export class Usage {
  constructor(readonly deps: UsageDeps) {}

  /** Why the machine counts as in use now, for the reader, or null. */
  async reason(machineId: string): Promise<string | null> {
    return (await this.reasons([machineId])).get(machineId) ?? null
  }

  /** The same of many, by their ids; one that is not in use is missing. Two questions for some hundreds of them. */
  async reasons(machineIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const reasons = new Map<string, string>()
    for (let from = 0; from < machineIds.length; from += AT_ONCE)
      await this.#readSome(machineIds.slice(from, from + AT_ONCE), reasons)
    return reasons
  }

  async #readSome(ids: readonly string[], reasons: Map<string, string>): Promise<void> {
    const { store, occupancy, now, releaseAfterMs } = this.deps
    const machines = await store
      .selectFrom('machine')
      .select(['id', 'power'])
      .where('id', 'in', [...ids])
      .execute()
    const rows = await store
      .selectFrom('assignment')
      .selectAll()
      .where('machine_id', 'in', [...ids])
      .execute()
    const held = new Map(rows.map((row) => [row.machine_id, row]))
    for (const { id, power } of machines) {
      const use = occupancy.use(id)
      const reason = reasonInUse(held.get(id) ?? null, use, power, now(), releaseAfterMs)
      if (reason !== null) reasons.set(id, reason)
    }
  }
}
