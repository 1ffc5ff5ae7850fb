import { sql } from 'kysely'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'

const LAST_LOOK = 'assignments-last-look'
/** Less is the noise of timers. */
const STEP_COUNTS_MS = 2_000

export interface FairClockDeps {
  readonly store: Store
  readonly now: () => number
  readonly monotonicMs: () => number
}

/** What is not watched now: hosts, and machines that do not say who is connected though their host is watched. */
export interface Unwatched {
  readonly hypervisors: readonly string[]
  readonly machines: readonly string[]
}

/**
 * Time that counts against a person is time in which they could have come: while the broker or the
 * host is away it stands still. Instead of remembering pauses, the times from which it is counted
 * are moved on by them; so a restart changes nothing, and a clock that jumps takes nothing from
 * anybody.
 */
export class FairClock {
  /** The wall clock minus the monotonic one, as it was when they were last compared. */
  #offsetMs: number
  #lastLookMs: number | null = null

  constructor(readonly deps: FairClockDeps) {
    this.#offsetMs = deps.now() - deps.monotonicMs()
  }

  /**
   * The time by which assignments are kept: the wall clock's, but a jump of that one is followed
   * only when `look` has taken it out of all times.
   */
  now(): number {
    return Math.round(this.deps.monotonicMs() + this.#offsetMs)
  }

  /**
   * Moves the times on by what has passed unfairly since the last call, also one before a restart.
   * Gives the time of that call; null at the first of all.
   */
  async look({ hypervisors: away, machines: unknown }: Unwatched): Promise<number | null> {
    const { store, now, monotonicMs } = this.deps
    const monotonic = monotonicMs()
    const passed = this.#lastLookMs === null ? 0 : Math.round(monotonic - this.#lastLookMs)
    this.#lastLookMs = monotonic
    const before = await this.#lastLook()
    const unfair =
      passed === 0 ? (before === null ? 0 : Math.round(this.now() - before)) : this.#step()
    await inTransaction(store, async (tx) => {
      if (unfair !== 0) {
        await tx.updateTable('assignment').set(moved(unfair)).execute()
        // Who waits keeps their place: no clock puts a newcomer before them, and no absence of the
        // broker's counts as their own.
        await tx
          .updateTable('waiter')
          .set({
            since: sql<number>`since + ${unfair}`,
            asked_at: sql<number>`asked_at + ${unfair}`,
          })
          .execute()
      }
      if (passed > 0 && away.length + unknown.length > 0)
        await tx
          .updateTable('assignment')
          .set(moved(passed))
          .where('machine_id', 'in', (eb) =>
            eb
              .selectFrom('machine')
              .select('machine.id')
              .where((or) =>
                or.or([
                  or('machine.hypervisor', 'in', ['', ...away]),
                  or('machine.id', 'in', ['', ...unknown]),
                ]),
              ),
          )
          .execute()
      const value = String(now())
      await tx
        .insertInto('setting')
        .values({ name: LAST_LOOK, value })
        .onConflict((oc) => oc.column('name').doUpdateSet({ value }))
        .execute()
      this.#offsetMs = now() - monotonicMs()
    })
    return before
  }

  async #lastLook(): Promise<number | null> {
    const last = await this.deps.store
      .selectFrom('setting')
      .select('value')
      .where('name', '=', LAST_LOOK)
      .executeTakeFirst()
    return last === undefined ? null : Number(last.value)
  }

  /** By how much the wall clock was set. */
  #step(): number {
    const step = Math.round(this.deps.now() - this.now())
    return Math.abs(step) < STEP_COUNTS_MS ? 0 : step
  }
}

function moved(byMs: number) {
  return {
    idle_since: sql<number>`idle_since + ${byMs}`,
    session_at: sql<number>`session_at + ${byMs}`,
    disconnected_at: sql<number>`disconnected_at + ${byMs}`,
    ticket_at: sql<number>`ticket_at + ${byMs}`,
    warned_for: sql<number>`warned_for + ${byMs}`,
    stop_at: sql<number>`stop_at + ${byMs}`,
  }
}
