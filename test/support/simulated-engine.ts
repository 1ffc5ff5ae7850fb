import { copyFileSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Job } from '../../broker/api/jobs.js'
import { machineAnswers } from '../../broker/answers.js'
import { type HandingOut } from '../../broker/assignments/assembly.js'
import { BERTH } from '../../broker/audit/store.js'
import { Events } from '../../broker/events/bus.js'
import { Hypervisors } from '../../broker/hypervisors/service.js'
import { SimulatedHost } from '../../broker/hypervisors/simulated.js'
import { Collector } from '../../broker/images/collector.js'
import { copyJob } from '../../broker/images/copy-job.js'
import { importJob } from '../../broker/images/import-job.js'
import type { StepHook } from '../../broker/jobs/context.js'
import { JobRunner } from '../../broker/jobs/runner.js'
import { SQLITE_FILE } from '../../broker/foundation.js'
import { GoldenImages } from '../../broker/machines/golden-images.js'
import { defineJob } from '../../broker/machines/define-job.js'
import { deleteJob } from '../../broker/machines/delete-job.js'
import { powerJob } from '../../broker/machines/jobs.js'
import { Leftovers } from '../../broker/machines/leftovers.js'
import { Observer } from '../../broker/machines/observer.js'
import { populateJob } from '../../broker/machines/populate-job.js'
import { Power } from '../../broker/machines/power.js'
import { Machines } from '../../broker/machines/service.js'
import { openStore, type Store } from '../../broker/store/open.js'
import { targetsOf } from './api-client.js'
import { databaseIn, dropDatabaseIn } from './database.js'
import { FINGERPRINT, temporaryDirectory } from './simulated-broker.js'
import { until } from './until.js'
import { assemble, type EngineOptions, type Parts } from './engine-parts.js'

/**
 * What broker.ts makes, without its HTTP side, users and thin clients: it starts in milliseconds,
 * so that a job can be ended by a crash at each of its steps.
 */
export class Engine {
  hook: StepHook = () => {}
  readonly #parts: Parts

  private constructor(
    readonly options: EngineOptions,
    readonly directory: string,
    readonly store: Store,
  ) {
    this.#parts = assemble(options, store, (point) => {
      this.hook(point)
    })
  }

  get events(): Events {
    return this.#parts.events
  }
  get hypervisors(): Hypervisors {
    return this.#parts.hypervisors
  }
  get observer(): Observer {
    return this.#parts.observer
  }
  get jobs(): JobRunner {
    return this.#parts.jobs
  }
  get machines(): Machines {
    return this.#parts.machines
  }
  get images(): GoldenImages {
    return this.#parts.images
  }
  get handingOut(): HandingOut {
    return this.#parts.handingOut
  }
  get collector(): Collector {
    return this.#parts.collector
  }
  get leftovers(): Leftovers {
    return this.#parts.leftovers
  }

  static async start(options: EngineOptions): Promise<Engine> {
    const directory = options.directory ?? temporaryDirectory()
    const engine = new Engine(options, directory, await openStore(await databaseIn(directory)))
    engine.#registerJobs()
    const { hypervisors, observer, handingOut, collector, leftovers, jobs } = engine.#parts
    await hypervisors.start()
    observer.start()
    handingOut.start()
    collector.start()
    leftovers.start()
    await engine.untilUp()
    await jobs.start()
    return engine
  }

  #registerJobs(): void {
    const { store } = this
    const { hypervisors, observer, jobs, usage, leftovers } = this.#parts
    const images = {
      store,
      link: (name: string) => hypervisors.link(name),
      requireOff: async (name: string) => {
        await observer.requireOff(name)
      },
    }
    const machineJobs = {
      store,
      hypervisors,
      observer,
      leftovers,
      power: new Power({ store, hypervisors, observer, ...machineAnswers(store) }),
      ...machineAnswers(store),
    }
    jobs.register(copyJob(images))
    jobs.register(importJob(images))
    jobs.register(powerJob(machineJobs))
    jobs.register(defineJob(machineJobs))
    jobs.register(deleteJob(machineJobs))
    jobs.register(
      populateJob({
        ...machineJobs,
        images,
        usage,
      }),
    )
  }

  /** Adds all hosts as hypervisors. */
  async addHypervisors(): Promise<void> {
    for (const [index, { name }] of this.options.hosts.entries()) {
      await this.hypervisors.add(
        { name, address: `10.0.0.${index + 1}`, fingerprint: FINGERPRINT, virtType: 'qemu' },
        BERTH,
      )
    }
    await this.untilUp()
  }

  async untilUp(): Promise<void> {
    await until(
      () =>
        this.hypervisors
          .names()
          .every((name) => this.hypervisors.link(name).status().state === 'up'),
      { withinMs: 5_000, everyMs: 1, what: 'every host is up' },
    )
  }

  /** Waits for the end of a job, whatever its end, and of the collection that follows it. */
  async ended(job: string): Promise<Job> {
    const ended = await this.jobs.ended(job)
    await this.collector.rest()
    return ended
  }

  /** Collects what a fault left; a broker does so every half minute. */
  async collect(): Promise<void> {
    this.collector.wake()
    await this.collector.rest()
  }

  /** As ended; throws unless it succeeded. */
  async succeeded(job: string): Promise<void> {
    const ended = await this.ended(job)
    if (ended.state !== 'succeeded')
      throw new Error(`job ${ended.kind} ${ended.state}: ${ended.message} ${targetsOf(ended)}`)
  }

  /** Waits until no job is left that has not ended. */
  async idle(withinMs = 20_000): Promise<void> {
    await until(
      async () =>
        (await this.store.selectFrom('job').select('id').where('finished_at', 'is', null).execute())
          .length === 0,
      { withinMs, everyMs: 3, what: 'every job has ended' },
    )
    await this.collector.rest()
  }

  /** What a power cut would leave on the disk at this moment, in a directory of its own. */
  copyOfDisk(): string {
    const copy = temporaryDirectory()
    for (const file of [SQLITE_FILE, `${SQLITE_FILE}-wal`])
      if (existsSync(join(this.directory, file)))
        copyFileSync(join(this.directory, file), join(copy, file))
    return copy
  }

  async stop(): Promise<void> {
    this.collector.stop()
    await this.jobs.stop()
    await this.handingOut.stop()
    await this.hypervisors.stop()
    await this.collector.rest()
    await this.leftovers.stop()
    void this.observer.stop() // a look that comes too late fails unheard
    await this.store.destroy()
  }

  async remove(): Promise<void> {
    await this.stop()
    await dropDatabaseIn(this.directory)
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A host as it is now, in another memory. */
export function copyOfHost(host: SimulatedHost): SimulatedHost {
  const copy = new SimulatedHost(host.name)
  for (const [name, domain] of host.domains) copy.domains.set(name, { ...domain })
  for (const part of ['images', 'overlays'] as const)
    for (const [name, base] of host[part]) copy[part].set(name, base)
  for (const [operation, answer] of host.journal) copy.journal.set(operation, answer)
  for (const [file, mark] of host.marks) copy.marks.set(file, mark)
  copy.fence = host.fence
  return copy
}
