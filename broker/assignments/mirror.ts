import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import { BrokerError } from '../errors.js'
import { metadataXml } from '../hypervisors/domain-xml.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Pools } from '../pools/service.js'
import type { Store } from '../store/open.js'
import type { Claims } from './claims.js'
import { metadataOf } from './records.js'

export interface MirrorDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly jobs: JobRunner
  readonly claims: Claims
  readonly pools: Pools
  readonly log: Logger
}

const LOOK_EVERY_MS = 30_000
/** Changes come in swarms. */
const GATHER_MS = 250
/** Telling one domain takes a host some tenths of a second. */
const AT_ONCE = 2

/**
 * What the database knows of a machine stands in its domain's metadata too, so that `virsh` shows it and a lost database can be made again. What was last
 * told is kept as a hash: after a restart, and when a host is back, only what has changed is told.
 */
export class Mirror {
  #timer: NodeJS.Timeout | undefined
  #gather: NodeJS.Timeout | undefined
  #telling: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(readonly deps: MirrorDeps) {}

  start(): void {
    const { claims, pools, jobs, hypervisors } = this.deps
    const wake = (): void => {
      this.wake()
    }
    claims.on('changed', wake)
    claims.on('ended', wake)
    pools.on('change', wake)
    jobs.on('released', wake)
    hypervisors.on('up', wake)
    this.#timer = setInterval(wake, LOOK_EVERY_MS)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    clearTimeout(this.#gather)
    await this.#telling
  }

  wake(): void {
    if (this.#gather || this.#stopped) return
    this.#gather = setTimeout(() => {
      this.#gather = undefined
      this.#telling = this.#telling
        .then(async () => {
          await this.#tellAll()
        })
        .catch((error: unknown) => {
          this.deps.log.error({ err: error }, 'mirroring into the hypervisors failed')
        })
    }, GATHER_MS)
  }

  async #tellAll(): Promise<void> {
    const rows = await this.deps.store
      .selectFrom('machine')
      .leftJoin('machine_mirror', 'machine_mirror.machine_id', 'machine.id')
      .leftJoin('job_lock', 'job_lock.machine_id', 'machine.id')
      .selectAll('machine')
      .select('machine_mirror.hash')
      .where('job_lock.job_id', 'is', null)
      .where('machine.power', 'not in', ['missing', 'unknown'])
      .orderBy('machine.name')
      .execute()
    const queue = rows.filter(
      (row) => this.deps.hypervisors.link(row.hypervisor).status().state === 'up',
    )
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let row = queue.shift(); row && !this.#stopped; row = queue.shift())
          await this.#tell(row)
      }),
    )
  }

  async #tell({
    hash: told,
    ...machine
  }: Parameters<typeof metadataOf>[1] & { hash: string | null }): Promise<void> {
    const xml = metadataXml(await metadataOf(this.deps.store, machine))
    const hash = createHash('sha256').update(xml).digest('base64url')
    if (hash === told) return
    try {
      await this.deps.hypervisors
        .link(machine.hypervisor)
        .request('domain_metadata', { name: machine.name, xml })
      await this.deps.store
        .insertInto('machine_mirror')
        .values({ machine_id: machine.id, hash })
        .onConflict((oc) => oc.column('machine_id').doUpdateSet({ hash }))
        .execute()
    } catch (error) {
      if (
        !(error instanceof BrokerError) &&
        !(error instanceof Error && /FOREIGN KEY/.test(error.message))
      )
        throw error
      this.deps.log.debug(
        { err: error, machine: machine.name },
        'the metadata of a domain could not be written; it is tried again',
      )
    }
  }
}
