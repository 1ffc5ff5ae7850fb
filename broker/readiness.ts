import { setTimeout as delay } from 'node:timers/promises'
import { failedWithin } from './background.js'
import type { Store } from './store/open.js'
import { storeFault } from './store/faults.js'

export interface Readiness {
  /** `degraded`: it answers, but not all that it does works. */
  readonly status: 'ready' | 'degraded'
  /** Error codes and names of background work; nothing of the site, since anybody may ask. */
  readonly reasons: readonly string[]
  /** Whether the database takes writes: without that nothing can be ordered. */
  readonly isWritable: boolean
}

/** Each probe writes, and anybody may ask: an answer serves all who ask within this time. */
const KEEP_MS = 2_000
/** A database that has not answered by then is away, whether or not it says so later. */
const ANSWER_MS = 5_000
/** Background work that has failed is tried again by then; what failed before has worked since, or is counted again. */
const RECENT_MS = 5 * 60_000

/** Whether the broker can do its work, found out by doing: it writes a row. */
export class ReadinessProbe {
  #last: { readonly at: number; readonly answer: Promise<Readiness> } | null = null
  /** What the database said last, also when it said so too late. */
  #lastFault: string | null = null

  constructor(readonly store: Store) {}

  async look(): Promise<Readiness> {
    const now = performance.now()
    if (this.#last === null || now - this.#last.at > KEEP_MS)
      this.#last = { at: now, answer: this.#probe() }
    return await this.#last.answer
  }

  async #probe(): Promise<Readiness> {
    const faults = await this.#writeFault()
    const reasons = [...faults, ...failedWithin(RECENT_MS)]
    return {
      status: reasons.length === 0 ? 'ready' : 'degraded',
      reasons,
      isWritable: faults.length === 0,
    }
  }

  async #writeFault(): Promise<string[]> {
    const value = String(Date.now())
    const tooLong = new AbortController()
    try {
      const write = this.store
        .insertInto('setting')
        .values({ name: 'readiness', value })
        .onConflict((oc) => oc.column('name').doUpdateSet({ value }))
        .execute()
      const said = write.then(
        () => null,
        (error: unknown) => storeFault(error)?.code ?? 'internal',
      )
      const fault = await Promise.race([
        said.then((code) => (this.#lastFault = code)),
        delay(ANSWER_MS, this.#lastFault ?? 'store_unwritable', { signal: tooLong.signal }),
      ])
      return fault === null ? [] : [fault]
    } finally {
      tooLong.abort()
    }
  }
}
