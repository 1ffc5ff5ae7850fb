import type { Logger } from 'pino'
import type { Holder } from '../api/machines.js'
import type { Store } from '../store/open.js'
import type { Stay } from './policy.js'
import { connectedSeats } from './store.js'
import type { Carried, Tunnels } from './tunnels.js'

export interface OverstayingDeps {
  readonly store: Store
  readonly log: Logger
  readonly mayStay: (stays: readonly Stay[]) => Promise<readonly boolean[]>
  readonly mayTake: (holder: Holder, machineId: string) => Promise<boolean>
  readonly loginLives: (login: string) => Promise<boolean>
}

interface Named {
  readonly id: string
  readonly name: string
  readonly hypervisor: string
}

/**
 * Ends what those have open who may not have it any more: viewers by `revoke`, what the broker
 * carries by cutting it.
 */
export async function endOverstaying(
  deps: OverstayingDeps,
  tunnels: Tunnels,
  revoke: (machine: Named, holder: Holder) => Promise<void>,
): Promise<void> {
  const seats = await connectedSeats(deps.store)
  const carried = tunnels.all()
  const may = await deps.mayStay([
    ...seats.map(({ machineId, seat }) => ({ machineId, holder: seat.holder })),
    ...carried,
  ])
  for (const [index, { machineId, seat }] of seats.entries())
    if (may[index] !== true) await revokeSeat(deps, machineId, seat.holder, revoke)
  const goesOn = goingOn(deps)
  for (const [index, one] of carried.entries())
    if (may[seats.length + index] !== true || !(await goesOn(one)))
      tunnels.cut((other) => other === one, { why: 'over', reason: 'the permission ended' })
}

async function revokeSeat(
  { store, log }: OverstayingDeps,
  machineId: string,
  holder: Holder,
  revoke: (machine: Named, holder: Holder) => Promise<void>,
): Promise<void> {
  const machine = await store
    .selectFrom('machine')
    .select(['id', 'name', 'hypervisor'])
    .where('id', '=', machineId)
    .executeTakeFirst()
  if (machine)
    await revoke(machine, holder).catch((error: unknown) => {
      log.warn({ err: error, machine: machine.name }, 'a console could not be ended yet')
    })
}

/**
 * Whether the login lives on, and who only watches may still do so. A login that carries many
 * connections is asked for once.
 */
function goingOn({ loginLives, mayTake }: OverstayingDeps): (one: Carried) => Promise<boolean> {
  const logins = new Map<string, boolean>()
  return async ({ kind, holder, machineId, login }) => {
    if (login !== undefined) {
      const lives = logins.get(login) ?? (await loginLives(login))
      logins.set(login, lives)
      if (!lives) return false
    }
    return kind !== 'watch' || (await mayTake(holder, machineId))
  }
}
