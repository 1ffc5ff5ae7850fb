import type { Holder } from '../api/machines.js'

export type SeatVia = 'direct' | 'proxy' | 'browser'

/** The last ticket of a machine and what became of it; instants in ms. */
export interface Seat {
  readonly holder: Holder
  readonly address: string
  readonly via: SeatVia
  readonly ticketAt: number
  /** Since when its viewer is connected, as far as is known; null: it is not. */
  readonly connectedAt: number | null
  /** When its viewer left; null: it has not, or has not come yet. */
  readonly disconnectedAt: number | null
}

/** Somebody who has a way to a machine open. */
export interface Stay {
  readonly holder: Holder
  readonly machineId: string
}

/** Who has the screen. `holder` null: a viewer that was given no ticket here. */
export interface Occupant {
  readonly holder: Holder | null
  readonly address: string
  readonly sinceMs: number
  readonly connected: boolean
}

/** By the hypervisor's clock. */
export const TICKET_SECONDS = 30
const TICKET_MS = TICKET_SECONDS * 1000
/** From a ticket to the moment its viewer is seen: the ticket's life, and a look at a busy host. */
const SEEN_LATE_MS = 60_000

/**
 * Whether a viewer that is connected now can have come with this seat's ticket: it has not left
 * since, or may have come again with the same ticket.
 */
export function holds(seat: Seat | null, now: number): boolean {
  return seat !== null && (seat.disconnectedAt === null || now - seat.ticketAt < SEEN_LATE_MS)
}

/**
 * Who has the screen now, or is about to: a ticket that may still be used counts, since a second
 * one would make it worthless. `viewers`: the addresses that QEMU names now.
 */
export function occupantOf(
  seat: Seat | null,
  viewers: readonly string[],
  now: number,
): Occupant | null {
  if (viewers.length > 0) {
    if (seat === null || !holds(seat, now))
      return { holder: null, address: viewers[0] ?? '', sinceMs: now, connected: true }
    return {
      holder: seat.holder,
      address: seat.address,
      sinceMs: seat.connectedAt ?? seat.ticketAt,
      connected: true,
    }
  }
  const open =
    seat !== null &&
    seat.connectedAt === null &&
    seat.disconnectedAt === null &&
    now - seat.ticketAt < TICKET_MS
  return open
    ? { holder: seat.holder, address: seat.address, sinceMs: seat.ticketAt, connected: false }
    : null
}

export interface Wish {
  readonly holder: Holder
  readonly address: string
  readonly take: boolean
  readonly mayTake: boolean
}
/**
 * give: a ticket beside whoever is there; take: cut the other one; refuse: somebody else has it;
 * forbid: they may not take it.
 */
export type ConsoleStep = 'give' | 'take' | 'refuse' | 'forbid'

/**
 * The same person may replace their own console, from wherever they are. A viewer that nobody knows is
 * their own when it comes from their address.
 */
export function consoleStep(occupant: Occupant | null, wish: Wish): ConsoleStep {
  if (occupant === null) return 'give'
  const own =
    occupant.holder === null
      ? occupant.address === wish.address
      : sameHolder(occupant.holder, wish.holder)
  if (own) return 'give'
  if (!wish.take) return 'refuse'
  return wish.mayTake ? 'take' : 'forbid'
}

/** What a look at the viewers means for the seat. */
export function seatChange(
  seat: Seat,
  viewers: readonly string[],
  now: number,
): 'opened' | 'closed' | null {
  if (viewers.length === 0) return seat.connectedAt === null ? null : 'closed'
  return seat.connectedAt === null && holds(seat, now) ? 'opened' : null
}

/** As the audit log names them. */
export function actorName(holder: Holder): string {
  return holder.kind === 'device' ? `thin-client:${holder.name}` : holder.name
}

export function sameHolder(a: Holder, b: Holder): boolean {
  return a.kind === b.kind && a.name === b.name
}

/** An address at which only the host itself can reach its displays. */
export function isLoopback(address: string): boolean {
  return (
    address === 'localhost' || address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address)
  )
}

/** One form for an address however it was written: an IPv4 address on an IPv6 socket is the same client. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '').toLowerCase()
}
