/** Less is the noise of timers. */
const STEP_MS = 2_000
/** A clock that was wrong when the machine was switched on, or was set by mistake, is right by then. */
const SETTLED_AFTER_MS = 3_600_000
/** A clock that is set on by more was wrong for long, or this machine slept: it is believed at once. */
const MOST_LAG_MS = 2 * 24 * 3_600_000

export interface SteadyClockDeps {
  /** The wall clock, which somebody may set. */
  readonly wallMs?: () => number
  readonly monotonicMs?: () => number
}

/**
 * The time by which logins, tokens, acceptances and waits end. A wall clock that is set on, rightly
 * or by mistake, must not end them all at once: this one catches up with it at double speed, so
 * that what has an hour left has at least half an hour. One that is set back is followed at once:
 * nothing ends by that. At a start the wall clock is believed, since nobody knows how long the
 * broker was away.
 */
export class SteadyClock {
  readonly #wallMs: () => number
  readonly #monotonicMs: () => number
  #atMs: number
  #monotonic: number
  #offsetMs: number
  #steppedAt: number

  constructor({
    wallMs = () => Date.now(),
    monotonicMs = () => performance.now(),
  }: SteadyClockDeps = {}) {
    this.#wallMs = wallMs
    this.#monotonicMs = monotonicMs
    this.#atMs = wallMs()
    this.#monotonic = monotonicMs()
    this.#offsetMs = this.#atMs - this.#monotonic
    this.#steppedAt = this.#monotonic
  }

  /** Milliseconds since 1970; never later than the wall clock. */
  now(): number {
    const [wall, monotonic] = [this.#wallMs(), this.#monotonicMs()]
    const passed = monotonic - this.#monotonic
    const offset = wall - monotonic
    if (Math.abs(offset - this.#offsetMs) >= STEP_MS) this.#steppedAt = monotonic
    this.#monotonic = monotonic
    this.#offsetMs = offset
    const lag = wall - (this.#atMs + passed)
    this.#atMs =
      lag < STEP_MS || lag > MOST_LAG_MS ? wall : this.#atMs + passed + Math.min(lag, passed)
    return Math.round(this.#atMs)
  }

  /** For how long nobody has set the wall clock: since the start at most. */
  steadyForMs(): number {
    this.now()
    return this.#monotonic - this.#steppedAt
  }

  /** Whether the time is so well established that what it ends may be removed for ever. */
  isSettled(): boolean {
    return this.steadyForMs() >= SETTLED_AFTER_MS
  }
}
