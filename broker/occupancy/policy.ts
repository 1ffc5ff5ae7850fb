import type { PowerState } from '../api/machines.js'
import type { AssignmentRow } from '../store/tables.js'
import type { Use } from './occupancy.js'

/** What an assignment says of the use of its machine. */
export type Held = Pick<
  AssignmentRow,
  'pool_id' | 'holder' | 'fixed' | 'disconnected_at' | 'ticket_at'
>

/** States in which nothing runs. */
export const DEAD: readonly PowerState[] = ['off', 'missing', 'crashed']
/** From a ticket to the viewer's first channel; a viewer that has not come by then does not come. */
const TICKET_COUNTS_MS = 60_000

/** For the reader: the person's name, or thin-client:ID. */
export function shownHolder(holder: string): string {
  return holder.replace(/^user:/, '')
}

/**
 * Why a machine counts as in use, for the reader, or null when it is released. What was handed out
 * from a pool is in use until it is released. What a thin client has by name is in use while a
 * viewer is connected, shortly after a ticket was given, and for `releaseAfterMs` after the viewer
 * left; a machine that is off is released at once. What is not known keeps it in use, whether
 * anybody has it or not: nobody can tell.
 */
export function reasonInUse(
  held: Held | null,
  { viewers, unknown }: Use,
  power: PowerState,
  now: number,
  releaseAfterMs: number,
): string | null {
  if (viewers.length > 0) return `viewer at ${viewers.join(', ')}`
  if (held !== null && (held.pool_id !== null || held.fixed === 1))
    return `assigned to ${shownHolder(held.holder)}`
  if (power === 'unknown') return 'its hypervisor does not answer'
  if (unknown !== null) return `it is not known who is connected: ${unknown.replace(/\.$/, '')}`
  return DEAD.includes(power) || held === null ? null : reasonOfLate(held, now, releaseAfterMs)
}

/** What was just given, or just left, may be wanted again at once. */
function reasonOfLate(held: Held, now: number, releaseAfterMs: number): string | null {
  const { ticket_at: ticketAt, disconnected_at: leftAt } = held
  if (ticketAt !== null && now - ticketAt < TICKET_COUNTS_MS) return 'it was just handed out'
  if (leftAt !== null && now - leftAt < releaseAfterMs)
    return `its viewer left ${Math.round((now - leftAt) / 1000)} s ago`
  return null
}
