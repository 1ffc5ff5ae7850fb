import type { Logger } from 'pino'
import type { Config } from '../config.js'
import type { SteadyClock } from '../steady-clock.js'
import type { Store } from '../store/open.js'
import { Retention } from './retention.js'
import { SiteHistory } from './service.js'

export interface HistoryPartsDeps {
  readonly store: Store
  readonly config: Config
  readonly log: Logger
  readonly clock: SteadyClock
}

export interface HistoryParts {
  readonly history: SiteHistory
  readonly retention: Retention
}

/** What was, and for how long it is kept. */
export function assembleHistory({ store, config, log, clock }: HistoryPartsDeps): HistoryParts {
  const { jobsKeptMs, eventsKeptMs } = config
  const now = Date.now
  return {
    history: new SiteHistory({ store, log, now }),
    retention: new Retention({ store, log, clock, jobsKeptMs, eventsKeptMs }),
  }
}
