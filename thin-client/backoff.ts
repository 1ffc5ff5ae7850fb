export interface Backoff {
  /** The shortest pause. */
  readonly baseMs: number
  /** The longest pause. */
  readonly capMs: number
}

/**
 * The pause after one more failure: decorrelated jitter (Brooker, "Exponential Backoff And Jitter",
 * AWS 2015), a random time between the base and three times the last pause. Thousands of devices
 * that lost their broker together so come back spread out. `previousMs`: the last pause, 0 after a
 * success. `random`: in [0, 1).
 */
export function nextPauseMs(backoff: Backoff, previousMs: number, random: number): number {
  const upperMs = Math.min(backoff.capMs, Math.max(backoff.baseMs, previousMs) * 3)
  return Math.round(backoff.baseMs + random * (upperMs - backoff.baseMs))
}
