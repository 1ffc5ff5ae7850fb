import type { Logger } from 'pino'
import { countFailure } from './background.js'

export interface RoundsOptions {
  /** One round; `all`: also at what only time changes. */
  readonly look: (all: boolean) => Promise<void>
  readonly everyMs: number
  readonly log: Logger
  /** What the log says of a round that failed; the next one comes all the same. */
  readonly failed: string
}

/** A keeper's rounds, one after another: soon after each change that wakes it, and by timer. */
export class Rounds {
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #waiting = false
  #all = false
  #stopped = false

  constructor(readonly options: RoundsOptions) {}

  start(): void {
    this.#timer = setInterval(() => {
      this.wake(true)
    }, this.options.everyMs)
    this.wake(true)
  }

  /** Done when the round that is under way is. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#looking
  }

  /** A round soon; calls while one waits make one. */
  wake(all = false): void {
    this.#all ||= all
    if (this.#waiting || this.#stopped) return
    this.#waiting = true
    const { look, log, failed } = this.options
    this.#looking = this.#looking
      .then(async () => {
        const whole = this.#all
        this.#waiting = this.#all = false
        if (!this.#stopped) await look(whole)
      })
      .catch((error: unknown) => {
        countFailure(failed, error)
        log.error({ err: error }, failed)
      })
  }

  /** One round now, after those that are under way; rejects as it does. */
  async lookNow(all: boolean): Promise<void> {
    const look = this.#looking.then(async () => {
      await this.options.look(all)
    })
    this.#looking = look.catch(() => {}) // who asked is told
    await look
  }
}
