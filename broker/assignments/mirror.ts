import { createHash } from 'node:crypto'
import type { SelectQueryBuilder } from 'kysely'
import type { Logger } from 'pino'
import { countFailure, inBackground } from '../background.js'
import { BrokerError } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import { metadataXml } from '../hypervisors/domain-xml.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Store } from '../store/open.js'
import type { Tables } from '../store/tables.js'
import { metadataOf } from './records.js'

export interface MirrorDeps {
  readonly store: Store
  readonly events: Events
  readonly hypervisors: Hypervisors
  readonly log: Logger
}

type MachineIds = SelectQueryBuilder<Tables, 'machine', { id: string }>

/** Everything is compared again this often, so that a lost event does no lasting harm. */
const SWEEP_EVERY_MS = 10 * 60_000
/** Grants are given in swarms. */
const SWEEP_SOON_MS = 3_000
/** What could not be told is tried again after this time. */
const RETRY_MS = 30_000
/** Changes come in swarms. */
const GATHER_MS = 250
/** Telling one domain takes a host some tenths of a second. */
const AT_ONCE = 2
/** So many machines are read at a time. */
const SLICE = 200

/**
 * What the database knows of a machine stands in its domain's metadata too, so that `virsh` shows
 * it and a lost database can be made again. What was last told is kept as a hash: after a restart,
 * and when a host is back, only what has changed is told. Each change names the machines that it
 * concerns: only these are compared, however many there are.
 */
export class Mirror {
  readonly #due = new Set<string>()
  readonly #failed = new Set<string>()
  #timers: NodeJS.Timeout[] = []
  #gather: NodeJS.Timeout | undefined
  #telling: Promise<void> = Promise.resolve()
  #sweepSoon: NodeJS.Timeout | undefined
  #stopped = false

  constructor(readonly deps: MirrorDeps) {}

  start(): void {
    const { events } = this.deps
    events.subscribeAll(
      ['assignmentChanged', 'assignmentEnded', 'powerChanged', 'maintenanceChanged'],
      (id) => {
        this.#wake([id])
      },
    )
    events.subscribe('poolChanged', (poolId) => {
      this.#wakeThose('pools', (query) =>
        query.where('id', 'in', (eb) =>
          eb.selectFrom('pool_member').select('machine_id').where('pool_id', '=', poolId),
        ),
      )
    })
    events.subscribe('jobReleased', (ids) => {
      this.#wake(ids)
    })
    events.subscribe('hypervisorReady', (name) => {
      this.#wakeThose('hypervisors', (query) => query.where('hypervisor', '=', name))
    })
    const retry = setInterval(() => {
      this.#wake([...this.#failed])
    }, RETRY_MS)
    const sweep = setInterval(() => {
      this.#sweep()
    }, SWEEP_EVERY_MS)
    this.#timers = [retry, sweep]
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers) clearInterval(timer)
    clearTimeout(this.#gather)
    clearTimeout(this.#sweepSoon)
    await this.#telling
  }

  /** Something was written of which nobody says whom it concerns, such as a grant: everything is compared soon. */
  sweepSoon(): void {
    this.#sweepSoon ??= setTimeout(() => {
      this.#sweep()
    }, SWEEP_SOON_MS)
  }

  #sweep(): void {
    this.#sweepSoon = undefined
    if (!this.#stopped) this.#wakeThose('all', (query) => query)
  }

  #wakeThose(which: string, those: (query: MachineIds) => MachineIds): void {
    const { store, log } = this.deps
    inBackground({
      log,
      what: `metadata.${which}`,
      work: async () => {
        const rows = await those(store.selectFrom('machine').select('id')).execute()
        this.#wake(rows.map(({ id }) => id))
      },
      retries: 5,
    })
  }

  #wake(ids: readonly string[]): void {
    for (const id of ids) this.#due.add(id)
    if (this.#gather || this.#stopped || this.#due.size === 0) return
    this.#gather = setTimeout(() => {
      this.#gather = undefined
      this.#telling = this.#telling
        .then(async () => {
          await this.#tellDue()
        })
        .catch((error: unknown) => {
          countFailure('metadata.tell', error)
          this.deps.log.error({ err: error }, 'the metadata of domains could not be written')
        })
    }, GATHER_MS)
  }

  async #tellDue(): Promise<void> {
    while (this.#due.size > 0 && !this.#stopped) {
      const ids = [...this.#due].slice(0, SLICE)
      for (const id of ids) {
        this.#due.delete(id)
        this.#failed.add(id) // until it is told
      }
      await this.#tellThese(ids)
    }
  }

  async #tellThese(ids: readonly string[]): Promise<void> {
    const rows = await this.deps.store
      .selectFrom('machine')
      .leftJoin('machine_mirror', 'machine_mirror.machine_id', 'machine.id')
      .leftJoin('job_lock', 'job_lock.machine_id', 'machine.id')
      .selectAll('machine')
      .select(['machine_mirror.hash', 'job_lock.job_id as job'])
      .where('machine.id', 'in', ids)
      .orderBy('machine.name')
      .execute()
    const known = new Set(rows.map(({ id }) => id))
    for (const id of ids) if (!known.has(id)) this.#failed.delete(id)
    const queue = rows.filter((row) => this.#isReachable(row))
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let row = queue.shift(); row && !this.#stopped; row = queue.shift())
          if (await this.#tell(row)) this.#failed.delete(row.id)
      }),
    )
  }

  /** One that a job works on comes again when the job has released it, one whose host is away when that is back. */
  #isReachable(row: {
    id: string
    job: string | null
    power: string
    hypervisor: string
  }): boolean {
    const isUp = this.deps.hypervisors.link(row.hypervisor).status().state === 'up'
    if (row.job !== null || !isUp) {
      this.#failed.delete(row.id)
      return false
    }
    return !['missing', 'unknown'].includes(row.power)
  }

  /** Gives whether its domain has been told. */
  async #tell({
    hash: told,
    ...machine
  }: Parameters<typeof metadataOf>[1] & { hash: string | null }): Promise<boolean> {
    const xml = metadataXml(await metadataOf(this.deps.store, machine))
    const hash = createHash('sha256').update(xml).digest('base64url')
    if (hash === told) return true
    try {
      await this.deps.hypervisors
        .link(machine.hypervisor)
        .request('domain_metadata', { name: machine.name, uuid: machine.id, xml })
      await this.deps.store
        .insertInto('machine_mirror')
        .values({ machine_id: machine.id, hash })
        .onConflict((oc) => oc.column('machine_id').doUpdateSet({ hash }))
        .execute()
      return true
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
      return false
    }
  }
}
