import type { Backoff } from './backoff.js'

export const BROKER_BACKOFF: Backoff = { baseMs: 500, capMs: 30_000 }
export const VIEWER_BACKOFF: Backoff = { baseMs: 1000, capMs: 30_000 }
/**
 * How long the broker may hold a question. News come at once; what costs is each question that
 * brings none, and a firewall or a reverse proxy that forgets a silent connection sooner than this
 * is kept awake by the probes of TCP.
 */
export const LONG_POLL_MS = 240_000
/**
 * One that fails after this time was held, and then cut off: by a proxy or a firewall that ends
 * what is silent, or since the broker stopped.
 */
export const HELD_MS = 20_000
/** No network is taken to end what is silent sooner than this. */
export const SHORTEST_POLL_MS = 25_000
/** How often it says what it shows; the broker may hold the report for as long, and brings notices with its answer. */
export const REPORT_EVERY_MS = 60_000
/** A viewer that ended sooner than this showed nothing: asking again at once would spin. */
export const QUICK_END_MS = 3000
/** A viewer that ran this long worked: the next failure counts as the first. */
export const GOOD_RUN_MS = 30_000
export const FAULTY_SETTINGS_PAUSE_MS = 2000
/** Whatever the broker says, it is not asked more often than this. */
export const MIN_PAUSE_MS = 500
export const MAX_NOTE_LENGTH = 200

/** Spreads devices that were told the same time. */
const ASK_AGAIN_JITTER = 0.2

export function jittered(timeMs: number, random: number): number {
  return Math.round(timeMs * (1 + ASK_AGAIN_JITTER * random))
}
