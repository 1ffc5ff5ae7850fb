import type { Logger } from 'pino'
import type { Config } from '../config.js'
import type { Events } from '../events/bus.js'
import type { Hypervisors } from '../hypervisors/service.js'
import { Collector } from '../images/collector.js'
import { copyJob } from '../images/copy-job.js'
import { importJob } from '../images/import-job.js'
import type { StepHook } from '../jobs/context.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Changes } from '../live/changes.js'
import type { Occupancy } from '../occupancy/occupancy.js'
import type { Usage } from '../occupancy/usage.js'
import type { Store } from '../store/open.js'
import type { DomainExtrasOf } from './definition.js'
import { Endings } from './endings.js'
import { GoldenImages } from './golden-images.js'
import { defineJob } from './define-job.js'
import { deleteJob } from './delete-job.js'
import { powerJob } from './jobs.js'
import { Leftovers } from './leftovers.js'
import { Observer } from './observer.js'
import { populateJob } from './populate-job.js'
import { Power } from './power.js'
import { Restarts } from './restarts.js'
import { type Held, Machines } from './service.js'

export interface MachinePartsDeps {
  readonly store: Store
  readonly events: Events
  readonly config: Config
  readonly log: Logger
  readonly hypervisors: Hypervisors
  readonly occupancy: Occupancy
  readonly jobs: JobRunner
  readonly changes: Changes
  readonly hook?: StepHook
  readonly extrasOf: DomainExtrasOf
  /** Who has this machine; null: nobody. Answered by those who hand machines out. */
  readonly holderOf: (machineId: string) => Promise<Held | null>
  readonly usage: Usage
}

export interface MachineParts {
  readonly observer: Observer
  readonly machines: Machines
  readonly goldenImages: GoldenImages
  readonly endings: Endings
  readonly restarts: Restarts
  readonly leftovers: Leftovers
  readonly collector: Collector
}

/** Machines and their images; their jobs are registered. Nothing is looked at yet. */
export function assembleMachines(deps: MachinePartsDeps): MachineParts {
  const { config, events } = deps
  const observer = new Observer({
    ...deps,
    everyMs: config.observeEveryMs,
    displayTimeoutMs: config.displayTimeoutMs,
  })
  const observed = { ...deps, observer }
  const machines = new Machines({ ...observed, shutdownTimeoutMs: config.shutdownTimeoutMs })
  const endings = new Endings({ events, monotonicMs: () => performance.now() })
  const leftovers = new Leftovers(deps)
  registerJobs(observed, leftovers)
  tellOfLooks(deps)
  return {
    observer,
    machines,
    goldenImages: new GoldenImages(observed),
    endings,
    restarts: new Restarts({ ...observed, endings, machines }),
    leftovers,
    collector: new Collector(deps),
  }
}

function registerJobs(
  deps: MachinePartsDeps & { readonly observer: Observer },
  leftovers: Leftovers,
): void {
  const { store, hypervisors, observer, jobs } = deps
  const images = {
    store,
    link: (name: string) => hypervisors.link(name),
    requireOff: async (name: string) => {
      await observer.requireOff(name)
    },
  }
  const machineJobs = { ...deps, power: new Power(deps), leftovers }
  jobs.register(copyJob(images))
  jobs.register(importJob(images))
  jobs.register(powerJob(machineJobs))
  jobs.register(defineJob(machineJobs))
  jobs.register(deleteJob(machineJobs))
  jobs.register(populateJob({ ...machineJobs, images }))
}

/** What looks at the hosts show, pages show. */
function tellOfLooks({ events, changes }: MachinePartsDeps): void {
  events.subscribeAll(['hypervisorSeen', 'hypervisorUnseen'], () => {
    changes.noteSeldom('hypervisors')
  })
  events.subscribe('viewersChanged', () => {
    for (const topic of ['machines', 'sessions'] as const) changes.note(topic)
  })
}
