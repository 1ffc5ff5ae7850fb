import type { Logger } from 'pino'
import { BERTH } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import { generationName } from '../images/store.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Observer } from '../machines/observer.js'
import type { GoldenImages } from '../machines/golden-images.js'
import type { Store } from '../store/open.js'
import { reasonInUse } from './policy.js'

export interface AssignmentsDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly goldenImages: GoldenImages
  readonly log: Logger
  readonly releaseAfterMs: number
  readonly now: () => number
}

const LOOK_EVERY_MS = 5_000

/** Who has which machine: the exclusive claim of a thin client, and what follows when it ends. */
export class Assignments {
  #timer: NodeJS.Timeout | undefined
  #passing: Promise<void> = Promise.resolve()
  /** Since when a host has been observed without a break; before a grace time has passed nothing is taken from anybody. */
  readonly #observedSince = new Map<string, number>()

  constructor (readonly deps: AssignmentsDeps) {}

  start (): void {
    const { observer, hypervisors } = this.deps
    observer.on('viewers', (machineId) => { this.#noteViewers(machineId) })
    observer.on('power', () => { this.#wake() })
    observer.on('looked', (hypervisor) => { if (!this.#observedSince.has(hypervisor)) this.#observedSince.set(hypervisor, this.deps.now()) })
    hypervisors.on('change', (hypervisor) => {
      if (!hypervisors.names().includes(hypervisor) || hypervisors.link(hypervisor).status().state !== 'up') this.#observedSince.delete(hypervisor)
    })
    this.#timer = setInterval(() => { this.#wake() }, LOOK_EVERY_MS)
  }

  async stop (): Promise<void> {
    clearInterval(this.#timer)
    await this.#passing
  }

  /** Why the machine counts as in use now, or null. */
  async inUse (machineId: string): Promise<string | null> {
    const { store, observer, now, releaseAfterMs } = this.deps
    const row = await store.selectFrom('machine').leftJoin('assignment', 'assignment.machine_id', 'machine.id')
      .select(['machine.power', 'assignment.thin_client_id', 'assignment.ticket_at', 'assignment.disconnected_at']).where('machine.id', '=', machineId).executeTakeFirst()
    if (!row) return null
    const use = row.thin_client_id === null ? null : { ticketAt: row.ticket_at, disconnectedAt: row.disconnected_at }
    return reasonInUse(use, observer.viewers(machineId), row.power, now(), releaseAfterMs)
  }

  /**
   * Claims the machine for a thin client in one transaction, and counts it as just handed out from then on: whoever looks meanwhile, another device or a
   * populate, sees that. Throws `busy` while another one uses it, or while a job makes it ready.
   */
  async claim (machineId: string, thinClientId: string): Promise<void> {
    const held = await this.deps.store.selectFrom('assignment').select(['thin_client_id', 'ticket_at']).where('machine_id', '=', machineId).executeTakeFirst()
    const mine = held?.thin_client_id === thinClientId
    const reason = held === undefined || mine ? null : await this.inUse(machineId)
    if (reason !== null) throw new BrokerError('busy', `Another thin client uses this machine (${reason}).`)
    const now = this.deps.now()
    await this.deps.store.transaction().execute(async (tx) => {
      const job = await tx.selectFrom('job_lock').innerJoin('job', 'job.id', 'job_lock.job_id').select(['job.id', 'job.kind']).where('job_lock.machine_id', '=', machineId).where('job.kind', '!=', 'power').executeTakeFirst()
      if (job) throw new BrokerError('busy', `It is being made ready (job ${job.id}, ${job.kind}).`)
      const changed = mine ? await tx.updateTable('assignment').set({ ticket_at: now }).where('machine_id', '=', machineId).where('thin_client_id', '=', thinClientId).executeTakeFirst() : held === undefined
        ? await tx.insertInto('assignment').values({ machine_id: machineId, thin_client_id: thinClientId, assigned_at: now, ticket_at: now, connected_at: null, disconnected_at: null }).onConflict((oc) => oc.doNothing()).executeTakeFirst()
        : await tx.updateTable('assignment').set({ thin_client_id: thinClientId, assigned_at: now, ticket_at: now, connected_at: null, disconnected_at: null }).where('machine_id', '=', machineId).where('thin_client_id', '=', held.thin_client_id)
          .where((eb) => held.ticket_at === null ? eb('ticket_at', 'is', null) : eb('ticket_at', '=', held.ticket_at)).executeTakeFirst()
      const rows = 'numUpdatedRows' in changed ? changed.numUpdatedRows : changed.numInsertedOrUpdatedRows
      if (rows !== 1n) throw new BrokerError('busy', 'Another thin client was quicker.')
    })
  }

  async noteTicket (machineId: string): Promise<void> {
    await this.deps.store.updateTable('assignment').set({ ticket_at: this.deps.now(), disconnected_at: null }).where('machine_id', '=', machineId).execute()
  }

  #noteViewers (machineId: string): void {
    const connected = this.deps.observer.viewers(machineId).length > 0
    const change = connected ? { connected_at: this.deps.now(), disconnected_at: null } : { disconnected_at: this.deps.now(), ticket_at: null }
    this.#passing = this.#passing.then(async () => {
      await this.deps.store.updateTable('assignment').set(change).where('machine_id', '=', machineId).execute()
    }).catch((error: unknown) => { this.deps.log.error({ err: error }, 'noting a viewer failed') })
    this.#wake()
  }

  #wake (): void {
    this.#passing = this.#passing.then(async () => { await this.#renewReleased() }).catch((error: unknown) => { this.deps.log.error({ err: error }, 'renewing released machines failed') })
  }

  /** Machines that were in use when their initial was populated move to the wanted generation now that they are released. */
  async #renewReleased (): Promise<void> {
    const { store, now, releaseAfterMs } = this.deps
    const rows = await store.selectFrom('machine').innerJoin('generation', 'generation.id', 'machine.wanted_generation_id').innerJoin('machine as parent', 'parent.id', 'machine.parent_id')
      .leftJoin('job_lock', 'job_lock.machine_id', 'machine.id').select(['machine.id', 'machine.hypervisor', 'machine.power', 'parent.name as initial', 'generation.number'])
      .where('job_lock.job_id', 'is', null).execute()
    for (const row of rows) {
      const observed = this.#observedSince.get(row.hypervisor)
      const settled = observed !== undefined && (row.power === 'off' || now() - observed >= Math.min(releaseAfterMs, 60_000))
      if (!settled || await this.inUse(row.id) !== null) continue
      try {
        await this.deps.goldenImages.populate(row.initial, { generation: generationName(row) }, BERTH, [row.id])
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error
        this.deps.log.warn({ err: error, machine: row.id }, 'a released machine could not be renewed yet')
      }
    }
  }
}
