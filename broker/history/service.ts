import type { Logger } from 'pino'
import type { History, HistorySpan } from '../api/history.js'
import type { Store } from '../store/open.js'
import { afterCommit, inTransaction } from '../store/transaction.js'
import { factsOf } from './facts.js'
import { gridOf, KEPT_MS, lastMinute, MINUTE_MS, summarise } from './policy.js'
import { oldestSample, pruneSamples, putSample, samplesSince } from './store.js'

export interface SiteHistoryDeps {
  readonly store: Store
  readonly log: Logger
  readonly now: () => number
}

/** A timer may come a little early by the wall clock. */
const AFTER_MINUTE_MS = 50

/**
 * What the site was like, minute by minute: a sample after each full minute. A minute that nobody
 * saw stays unknown.
 */
export class SiteHistory {
  #timer: NodeJS.Timeout | undefined
  #sampling: Promise<void> = Promise.resolve()
  /** Answers until the next sample: many pages ask for the same at the same moment. */
  readonly #answers = new Map<
    HistorySpan,
    { readonly from: number; readonly answer: Promise<History> }
  >()

  constructor(readonly deps: SiteHistoryDeps) {}

  start(): void {
    this.#timer = setTimeout(
      () => {
        this.#sampling = this.sample().catch((error: unknown) => {
          this.deps.log.error({ err: error }, 'the sample of a minute could not be taken')
        })
        this.start()
      },
      MINUTE_MS - (this.deps.now() % MINUTE_MS) + AFTER_MINUTE_MS,
    )
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#sampling
  }

  /** Enters the minute that was over last, once. */
  async sample(): Promise<void> {
    const { store, now } = this.deps
    const at = lastMinute(now())
    const facts = await factsOf(store, at, now())
    await inTransaction(store, async (tx) => {
      afterCommit(tx, () => {
        this.#answers.clear()
      })
      if (await putSample(tx, facts)) await pruneSamples(tx, at - KEPT_MS)
    })
  }

  async of(span: HistorySpan): Promise<History> {
    const { from } = gridOf(span, this.deps.now())
    const known = this.#answers.get(span)
    if (known?.from === from) return await known.answer
    const answer = this.#read(span, from)
    this.#answers.set(span, { from, answer })
    answer.catch(() => {
      this.#answers.delete(span)
    }) // who asks next tries again
    return await answer
  }

  async #read(span: HistorySpan, from: number): Promise<History> {
    const { store, now } = this.deps
    return summarise(span, now(), await oldestSample(store), await samplesSince(store, from))
  }
}
