import { refusal } from './errors/broker-error.js'
import type { PlainReason } from './errors/reasons.js'

export interface AllowanceRules {
  /** So many at once; then as many as have come back since. */
  readonly atOnce: number
  readonly aMinute: number
  /** What the one who asks too often is told. */
  readonly reason: PlainReason
}

/** More keys than these come from a flood; those that asked longest ago are forgotten. */
const MOST_KEYS = 50_000

interface Left {
  count: number
  atMs: number
}

/** Requests of one device or person: so many at once, and then at an even pace (a token bucket for each key). */
export class Allowance {
  readonly #left = new Map<string, Left>()

  constructor(
    readonly rules: AllowanceRules,
    readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** Throws `too_many_requests`. */
  count(key: string): void {
    const { atOnce, aMinute, reason } = this.rules
    const now = this.nowMs()
    const known = this.#left.get(key)
    const count = known
      ? Math.min(atOnce, known.count + ((now - known.atMs) * aMinute) / 60_000)
      : atOnce
    this.#left.delete(key)
    if (this.#left.size >= MOST_KEYS) this.#left.delete(this.#left.keys().next().value ?? key)
    this.#left.set(key, { count: Math.max(0, count - 1), atMs: now })
    if (count < 1) throw refusal(reason)
  }
}
