import { type BrokerError, refusal } from '../errors/broker-error.js'

/**
 * At most so many at a time for each key; the others wait in the order in which they came, until
 * they are cancelled.
 */
export class Limit {
  readonly #active = new Map<string, number>()
  /** A Set keeps the order, and lets one leave from the middle. */
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(readonly most: (key: string) => number) {}

  /** Throws `cancelled` when `signal` is aborted before it is its turn; `act` has not begun then. */
  async run<T>(key: string, act: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(key, signal)
    try {
      refuseIfAborted(signal)
      return await act()
    } finally {
      this.#leave(key)
    }
  }

  async #enter(key: string, signal: AbortSignal | undefined): Promise<void> {
    refuseIfAborted(signal)
    const active = this.#active.get(key) ?? 0
    if (active < this.most(key)) {
      this.#active.set(key, active + 1)
      return
    }
    const waiting = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiting)
    await new Promise<void>((resolve, reject) => {
      const begin = (): void => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = (): void => {
        waiting.delete(begin)
        reject(cancelled())
      }
      signal?.addEventListener('abort', giveUp, { once: true })
      waiting.add(begin)
    })
  }

  #leave(key: string): void {
    const waiting = this.#waiting.get(key)
    const [next] = waiting ?? []
    if (waiting && next) {
      waiting.delete(next)
      next() // the place passes on
      return
    }
    this.#waiting.delete(key)
    const left = (this.#active.get(key) ?? 1) - 1
    if (left > 0) this.#active.set(key, left)
    else this.#active.delete(key)
  }
}

function refuseIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled()
}

function cancelled(): BrokerError {
  return refusal('job_cancelled_in_queue')
}
