import { setTimeout as delay } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import type { ScreenClose } from '../api/consoles.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Observer } from '../machines/observer.js'
import type { Store } from '../store/open.js'
import type { Asker, ConsoleMachine } from './asker.js'
import type { Entrance } from './entrance.js'
import { type Occupant, sameHolder } from './policy.js'
import type { ScreenTickets } from './screen-tickets.js'
import { seatOf } from './store.js'
import type { Cut, Tunnels } from './tunnels.js'

export interface SeatDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly entrance: Entrance
  readonly tunnels: Tunnels
}

/** How long is looked for the reason why a display ended. */
const LOOK_WITHIN_MS = 3_000

/** Cuts whoever has the screen, in whatever way they have it, and revokes their tickets. */
export async function takeSeat(
  { entrance, hypervisors, tunnels, tickets }: SeatDeps & { readonly tickets: ScreenTickets },
  machine: ConsoleMachine,
  { from, by, spice }: { readonly from: Occupant; readonly by: Asker; readonly spice: boolean },
): Promise<void> {
  if (spice)
    await hypervisors
      .link(machine.hypervisor)
      .request('disconnect', { domain: machine.name, uuid: machine.id })
  const cut: Cut = { why: 'taken', reason: await entrance.takenReason(from, by, machine.id) }
  tickets.revoke(
    (pass) => pass.machineId === machine.id && !pass.watching && !sameHolder(pass.holder, by),
  )
  tunnels.cut(
    (one) =>
      one.machineId === machine.id &&
      one.kind !== 'forward' &&
      one.kind !== 'watch' &&
      !sameHolder(one.holder, by),
    cut,
  )
}

/** The same person's other viewers end when this one begins: one seat a machine. */
export async function moveHere(
  { entrance, hypervisors, tunnels }: SeatDeps,
  machine: ConsoleMachine,
  webSocket: WebSocket,
): Promise<void> {
  const mine = tunnels
    .of(machine.id)
    .filter(({ kind }) => kind === 'screen')
    .at(-1)
  tunnels.cut((one) => one.machineId === machine.id && one.kind === 'screen' && one !== mine, {
    why: 'taken',
    reason: 'the screen was opened elsewhere',
  })
  const { atDisplay } = await entrance.find(machine)
  if (atDisplay.length > 0 && webSocket.readyState === webSocket.OPEN)
    await hypervisors
      .link(machine.hypervisor)
      .request('disconnect', { domain: machine.name, uuid: machine.id })
}

/** A SPICE viewer that has come with a later ticket has the seat now. */
export async function yieldSeat(
  { observer, store, tunnels }: SeatDeps,
  machineId: string,
): Promise<void> {
  if (
    observer.occupancy.atDisplay(machineId).length === 0 ||
    !tunnels.of(machineId).some(({ kind }) => kind === 'screen')
  )
    return
  const seat = await seatOf(store, machineId)
  if (seat === null || seat.via === 'browser') return
  tunnels.cut(
    (one) => one.machineId === machineId && one.kind === 'screen' && one.since < seat.ticketAt,
    { why: 'taken', reason: 'the screen was opened elsewhere' },
  )
}

/** What to say where a display ended and neither the viewer nor a fault ended it. */
export async function whyEnded(
  { hypervisors, observer }: Pick<SeatDeps, 'hypervisors' | 'observer'>,
  machine: ConsoleMachine,
): Promise<[ScreenClose, string]> {
  const away: [ScreenClose, string] = [
    'hostAway',
    `The connection to ${machine.hypervisor} was lost.`,
  ]
  if (hypervisors.link(machine.hypervisor).status().state !== 'up') return away
  const power = await Promise.race([
    observer.powerNow(machine),
    delay(LOOK_WITHIN_MS, 'unknown' as const),
  ]).catch(() => 'unknown' as const)
  if (power === 'unknown') return away
  return power === 'running' || power === 'paused'
    ? ['ended', 'The display has ended the connection.']
    : ['machineOff', `${machine.name} went off.`]
}
