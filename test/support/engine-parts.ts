import { type Logger, pino } from 'pino'
import { machineAnswers } from '../../broker/answers.js'
import { assembleHandingOut, type HandingOutDeps } from '../../broker/assignments/assembly.js'
import { Events } from '../../broker/events/bus.js'
import { Hypervisors } from '../../broker/hypervisors/service.js'
import { SimulatedHost } from '../../broker/hypervisors/simulated.js'
import { Collector } from '../../broker/images/collector.js'
import type { StepHook } from '../../broker/jobs/context.js'
import { JobRunner } from '../../broker/jobs/runner.js'
import { Changes } from '../../broker/live/changes.js'
import { GoldenImages } from '../../broker/machines/golden-images.js'
import { FairClock } from '../../broker/occupancy/fair-clock.js'
import { Occupancy } from '../../broker/occupancy/occupancy.js'
import { Endings } from '../../broker/machines/endings.js'
import { Leftovers } from '../../broker/machines/leftovers.js'
import { Observer } from '../../broker/machines/observer.js'
import { Machines } from '../../broker/machines/service.js'
import { Usage } from '../../broker/occupancy/usage.js'
import { type Store } from '../../broker/store/open.js'
import { CarryingLink } from './carrying-link.js'

export interface EngineOptions {
  readonly hosts: readonly SimulatedHost[]
  /** An earlier engine's data; without one a new directory is made. */
  readonly directory?: string
  readonly log?: Logger
  readonly now?: () => number
  readonly monotonicMs?: () => number
  readonly releaseAfterMs?: number
  /** Who waits may have a desktop; without it, everybody. */
  readonly mayHave?: (store: Store) => HandingOutDeps['mayHave']
}

export type Parts = ReturnType<typeof assemble>

/** Makes all parts of the broker that are in an engine; `hook` is called at each point of a job. */
export function assemble(options: EngineOptions, store: Store, hook: StepHook) {
  const log = options.log ?? pino({ level: 'silent' })
  const events = new Events(log)
  const hypervisorParts = assembleHypervisors(options, store, events, log)
  const { hypervisors, observer } = hypervisorParts
  const jobs = new JobRunner({ store, events, log, hook })
  const machines = new Machines({
    store,
    events,
    hypervisors,
    jobs,
    observer,
    shutdownTimeoutMs: 1_000,
    ...machineAnswers(store),
  })
  const images = new GoldenImages({ store, jobs, ...hypervisorParts })
  const handingOut = assembleHandingOut({
    store,
    events,
    changes: new Changes(),
    endings: new Endings({ events, monotonicMs: () => performance.now() }),
    machines,
    goldenImages: images,
    jobs,
    log,
    releaseAfterMs: releaseAfterMsOf(options),
    graceMs: 60_000,
    now: options.now ?? Date.now,
    mayHave: options.mayHave?.(store) ?? (async () => true),
    ...hypervisorParts,
  })
  const collector = new Collector({ store, events, hypervisors, log, hook })
  const leftovers = new Leftovers({ store, events, hypervisors, log })
  return { ...hypervisorParts, events, jobs, machines, images, handingOut, collector, leftovers }
}

/** The hosts, what is seen of them, and how long desktops are used by that. */
function assembleHypervisors(options: EngineOptions, store: Store, events: Events, log: Logger) {
  const monotonicMs = options.monotonicMs ?? (() => performance.now())
  const occupancy = new Occupancy({ monotonicMs, maxAgeMs: 120_000 })
  const fairClock = new FairClock({ store, now: options.now ?? Date.now, monotonicMs })
  const usage = new Usage({
    store,
    occupancy,
    now: () => fairClock.now(),
    releaseAfterMs: releaseAfterMsOf(options),
  })
  const hypervisors = new Hypervisors({
    occupancy,
    store,
    events,
    log,
    prepare: async () => {},
    openLink: (name, settings, events) =>
      new CarryingLink(hostNamed(options.hosts, name), { settings, events }),
  })
  const observer = new Observer({
    store,
    events,
    hypervisors,
    occupancy,
    log,
    everyMs: 60_000,
    displayTimeoutMs: 2_000,
  })
  return { hypervisors, observer, fairClock, usage }
}

function releaseAfterMsOf({ releaseAfterMs = 300_000 }: EngineOptions): number {
  return releaseAfterMs
}

function hostNamed(hosts: readonly SimulatedHost[], name: string): SimulatedHost {
  const host = hosts.find((one) => one.name === name)
  if (!host) throw new Error(`there is no host ${name}`)
  return host
}
