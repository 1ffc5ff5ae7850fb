import type { PowerState } from '../api/machines.js'

export interface Use {
  readonly ticketAt: number | null
  readonly disconnectedAt: number | null
}

/** From a ticket to the viewer's first channel; a viewer that has not come by then does not come. */
const TICKET_COUNTS_MS = 60_000

/**
 * Why a machine counts as in use, for the reader, or null when it is released. It is in use while a viewer is connected, shortly after a ticket was
 * given, and for `releaseAfterMs` after the viewer left; a machine that is off is released at once. `unknown` power keeps it in use: nobody can tell.
 */
export function reasonInUse (use: Use | null, viewers: readonly string[], power: PowerState, now: number, releaseAfterMs: number): string | null {
  if (viewers.length > 0) return `viewer at ${viewers.join(', ')}`
  if (power === 'off' || power === 'missing' || power === 'crashed') return null
  if (use === null) return null
  if (power === 'unknown') return 'its hypervisor does not answer'
  if (use.ticketAt !== null && now - use.ticketAt < TICKET_COUNTS_MS) return 'it was just handed out'
  if (use.disconnectedAt !== null && now - use.disconnectedAt < releaseAfterMs) return `its viewer left ${Math.round((now - use.disconnectedAt) / 1000)} s ago`
  return null
}
