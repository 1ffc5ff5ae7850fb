import type { Logger } from 'pino'
import type { HandingOut } from '../assignments/assembly.js'
import type { Config } from '../config.js'
import type { Events } from '../events/bus.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Observer } from '../machines/observer.js'
import type { Machines } from '../machines/service.js'
import type { Store } from '../store/open.js'
import { DrainKeeper } from './keeper.js'
import { Drains } from './service.js'

export interface DrainingDeps {
  readonly store: Store
  readonly events: Events
  readonly config: Config
  readonly log: Logger
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly machines: Machines
  readonly jobs: JobRunner
  readonly handingOut: HandingOut
  readonly now: () => number
}

export interface Draining {
  readonly drains: Drains
  readonly keeper: DrainKeeper
}

/** Hypervisors that are emptied, and who empties them. */
export function assembleDraining(deps: DrainingDeps): Draining {
  const { assignments, claims, hosts, pools } = deps.handingOut
  const facts = {
    ...deps,
    releaseAfterMs: deps.config.releaseAfterMs,
    desktops: async () => await assignments.desktops(),
  }
  return {
    drains: new Drains(facts),
    keeper: new DrainKeeper({ ...facts, claims, hosts, pools }),
  }
}
