import type { Logger } from 'pino'
import { pruneEvents } from '../audit/retention.js'
import { pruneJobs } from '../jobs/store.js'
import { Rounds } from '../rounds.js'
import type { SteadyClock } from '../steady-clock.js'
import type { Store } from '../store/open.js'

export interface RetentionDeps {
  readonly store: Store
  readonly log: Logger
  readonly clock: SteadyClock
  readonly jobsKeptMs: number
  readonly eventsKeptMs: number
}

const PRUNE_EVERY_MS = 60 * 60_000

/**
 * Keeps jobs and audit events for as long as the settings say, so that their tables stop growing
 * while the broker runs.
 */
export class Retention {
  readonly #rounds: Rounds

  constructor(readonly deps: RetentionDeps) {
    this.#rounds = new Rounds({
      look: () => this.prune(),
      everyMs: PRUNE_EVERY_MS,
      log: deps.log,
      failed: 'removing old jobs and events failed; it is tried again',
    })
  }

  start(): void {
    this.#rounds.start()
  }

  async stop(): Promise<void> {
    await this.#rounds.stop()
  }

  /** While the clock may be wrong, nothing is removed: one that is set on by years would empty the audit log. */
  async prune(): Promise<void> {
    const { store, log, clock, jobsKeptMs, eventsKeptMs } = this.deps
    if (!clock.isSettled()) return
    const now = clock.now()
    const jobs = await pruneJobs(store, now - jobsKeptMs)
    const events = await pruneEvents(store, now - eventsKeptMs)
    if (jobs + events > 0) log.info({ jobs, events }, 'old jobs and events were removed')
  }
}
