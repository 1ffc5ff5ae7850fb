import { sql } from 'kysely'
import type { Store } from '../store/open.js'

const LAST_LOOK = 'assignments-last-look'
/** Less is the noise of timers. */
const STEP_COUNTS_MS = 2_000

/**
 * Time that counts against a person is time in which he could have come: while the broker or the host is away it stands still. Instead of remembering
 * pauses, the times from which it is counted are moved on by them; so a restart changes nothing, and a clock that jumps takes nothing from anybody.
 */
export class FairClock {
  #lastMonotonicMs: number | null = null

  constructor (readonly deps: { store: Store, now: () => number, monotonicMs: () => number, isObserved: (hypervisor: string) => boolean, hypervisors: () => readonly string[] }) {}

  /** Moves the times on by what has passed unfairly since the last call, also one before a restart. */
  async look (): Promise<void> {
    const { store, now, monotonicMs } = this.deps
    const at = now()
    const monotonic = monotonicMs()
    const last = await store.selectFrom('setting').select('value').where('name', '=', LAST_LOOK).executeTakeFirst()
    const wall = last === undefined ? 0 : at - Number(last.value)
    const passed = this.#lastMonotonicMs === null ? 0 : monotonic - this.#lastMonotonicMs
    this.#lastMonotonicMs = monotonic
    const unfair = Math.abs(wall - passed) < STEP_COUNTS_MS ? 0 : wall - passed // the broker was away, or the clock was set
    const away = this.deps.hypervisors().filter((name) => !this.deps.isObserved(name))
    await store.transaction().execute(async (tx) => {
      if (unfair !== 0) await tx.updateTable('assignment').set(moved(unfair)).execute()
      if (passed > 0 && away.length > 0) await tx.updateTable('assignment').set(moved(passed)).where('machine_id', 'in', (eb) => eb.selectFrom('machine').select('machine.id').where('machine.hypervisor', 'in', [...away])).execute()
      const value = String(at)
      await tx.insertInto('setting').values({ name: LAST_LOOK, value }).onConflict((oc) => oc.column('name').doUpdateSet({ value })).execute()
    })
  }
}

function moved (byMs: number) {
  return {
    idle_since: sql<number>`idle_since + ${byMs}`, session_at: sql<number>`session_at + ${byMs}`, disconnected_at: sql<number>`disconnected_at + ${byMs}`, ticket_at: sql<number>`ticket_at + ${byMs}`, warned_for: sql<number>`warned_for + ${byMs}`,
  }
}
