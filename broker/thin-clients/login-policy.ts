import type { Seat } from '../consoles/policy.js'
import type { DeviceLoginRow } from '../store/tables.js'

/** A viewer that failed is opened again within this time; after it somebody else may sit there. */
export const REOPEN_MS = 60_000

export type LoginTimes = Pick<DeviceLoginRow, 'account' | 'seen_at' | 'ticket_at'>

/** Whether the machine's seat is the one for which this login's device was given a ticket. */
export function isSeatOf(login: LoginTimes, seat: Seat): boolean {
  return login.ticket_at !== null && isHis(login, seat) && seat.ticketAt <= login.ticket_at
}

function isHis(login: LoginTimes, seat: Seat): boolean {
  return seat.holder.kind === 'person' && seat.holder.name === login.account
}

/**
 * Why a person's login at a thin client is over, for its screen; null: it lasts. `seat`: of the
 * desktop that they opened there. What was not seen since `startedAt`, because the broker was away,
 * counts from then on. Pure.
 */
export function loginOver(
  login: LoginTimes,
  seat: Seat | null,
  now: number,
  startedAt: number,
  idleMs: number,
): string | null {
  const since = (at: number): number => now - Math.max(at, startedAt)
  if (seat !== null && isSeatOf(login, seat)) {
    if (seat.connectedAt !== null) return null
    if (seat.disconnectedAt !== null && since(seat.disconnectedAt) > REOPEN_MS)
      return 'The desktop was closed.'
  } else if (seat !== null && login.ticket_at !== null && isHis(login, seat))
    return 'Your desktop was opened at another place.'
  return since(Math.max(login.seen_at, login.ticket_at ?? 0)) > idleMs
    ? 'Nobody has used this screen for a while.'
    : null
}
