import { LRUCache } from 'lru-cache'

/** More keys than these come from a flood; the oldest are forgotten. */
const MOST_KEYS = 1_000

/**
 * Lets something through once in `everyMs` for each key, and counts what it holds back: for log
 * lines that strangers cause.
 */
export class Seldom {
  readonly #keys = new LRUCache<string, { atMs: number; held: number }>({ max: MOST_KEYS })

  constructor(
    readonly everyMs: number,
    readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** How many were held back since the last one that was let through; null when this one is held back, too. */
  pass(key: string): number | null {
    const now = this.nowMs()
    const known = this.#keys.get(key)
    if (known && now - known.atMs < this.everyMs) {
      known.held += 1
      return null
    }
    this.#keys.set(key, { atMs: now, held: 0 })
    return known?.held ?? 0
  }
}
