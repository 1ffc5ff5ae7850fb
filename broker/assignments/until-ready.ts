import type { Desktop } from '../api/assignments.js'
import { refusal } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { Observer } from '../machines/observer.js'
import { poolsOf } from '../pools/store.js'
import type { Store } from '../store/open.js'
import { listDesktops } from './listing.js'

export interface ReadyDeps {
  readonly store: Store
  readonly events: Events
  readonly observer: Observer
  readonly now: () => number
}

/**
 * The holder's desktop when it can be opened, or as it is after `withinMs`. One that does not
 * start is exchanged for another one meanwhile.
 */
export async function untilReady(
  deps: ReadyDeps,
  holder: string,
  given: string,
  withinMs: number,
  signal: AbortSignal,
): Promise<Desktop> {
  const until = performance.now() + withinMs
  for (let machineId = given; ;) {
    const [desktop] = await listDesktops(
      deps.store,
      { holder, machineId },
      deps.now(),
      deps.observer.occupancy,
    )
    const left = until - performance.now()
    if (desktop && (desktop.phase !== 'preparing' || left <= 0 || signal.aborted)) return desktop
    if (desktop) await untilChange(deps.events, machineId, left, signal)
    else machineId = await movedTo(deps.store, holder, machineId)
  }
}

/** Which desktop its holder was given instead of this one. */
async function movedTo(store: Store, holder: string, machineId: string): Promise<string> {
  const pools = (await poolsOf(store, machineId)).map((pool) => pool.id)
  const other =
    pools.length === 0
      ? undefined
      : await store
          .selectFrom('assignment')
          .select('machine_id')
          .where('holder', '=', holder)
          .where('pool_id', 'in', pools)
          .executeTakeFirst()
  if (!other) throw refusal('desktop_taken_away')
  return other.machine_id
}

/** Resolves when something about this machine (or any) changes, or after `withinMs`. */
export async function untilChange(
  events: Events,
  machineId: string | null,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      end()
      resolve()
    }
    const end =
      machineId === null
        ? events.subscribe('assignmentChanged', done)
        : events.subscribeAbout('assignmentChanged', machineId, done)
    const timer = setTimeout(done, withinMs)
    signal.addEventListener('abort', done)
  })
}
