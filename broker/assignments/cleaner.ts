import type { Logger } from 'pino'
import { BERTH } from '../audit/store.js'
import { BrokerError, refusal, sentenceOf } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { JobRunner } from '../jobs/runner.js'
import type { GoldenImages } from '../machines/golden-images.js'
import type { Machines } from '../machines/service.js'
import { enterDesktop } from '../pools/store.js'
import type { Store } from '../store/open.js'
import type { Claims } from './claims.js'
import type { Hosts } from './hosts.js'

export interface CleanerDeps {
  readonly store: Store
  readonly events: Events
  readonly claims: Claims
  readonly hosts: Hosts
  readonly machines: Machines
  readonly images: GoldenImages
  readonly jobs: JobRunner
  readonly log: Logger
  readonly now: () => number
}

interface Dirty {
  readonly id: string
  readonly name: string
  readonly hypervisor: string
  readonly power: string
  readonly parent_id: string | null
  readonly job_id: string | null
  readonly state: string
  readonly unclean: 'stop' | 'rebuild' | null
  readonly tries: number
  readonly retry_at: number
}

const TRIES = 3
const FIRST_RETRY_MS = 5_000
const DEAD = ['off', 'crashed', 'missing']

/**
 * Between two people a desktop is stopped or rebuilt, and proven so before anybody else gets it.
 * One that cannot be cleaned is failed, and shown.
 */
export class Cleaner {
  readonly #cleaning = new Set<string>()

  constructor(readonly deps: CleanerDeps) {}

  /** Goes on with every desktop that is being cleaned. */
  async look(): Promise<void> {
    for (const row of await this.#rows((q) => q.where('desktop.state', '=', 'cleaning')))
      await this.#step(row)
  }

  /** One that is assigned already, but still shows its last holder's doings. */
  async clean(machineId: string): Promise<void> {
    for (const row of await this.#rows((q) => q.where('desktop.machine_id', '=', machineId)))
      await this.#step(row)
  }

  async #rows(
    filter: (query: ReturnType<Cleaner['query']>) => ReturnType<Cleaner['query']>,
  ): Promise<Dirty[]> {
    return await filter(this.query()).execute()
  }

  private query() {
    return this.deps.store
      .selectFrom('desktop')
      .innerJoin('machine', 'machine.id', 'desktop.machine_id')
      .leftJoin('job_lock', 'job_lock.machine_id', 'machine.id')
      .select([
        'machine.id',
        'machine.name',
        'machine.hypervisor',
        'machine.power',
        'machine.parent_id',
        'job_lock.job_id',
        'desktop.state',
        'desktop.unclean',
        'desktop.tries',
        'desktop.retry_at',
      ])
  }

  async #step(row: Dirty): Promise<void> {
    if (
      this.#cleaning.has(row.id) ||
      row.job_id !== null ||
      !this.deps.hosts.isObserved(row.hypervisor) ||
      row.power === 'unknown' ||
      this.deps.hosts.unknownUse(row.id) !== null || // who comes next can wait
      row.retry_at > this.deps.now()
    )
      return
    const rebuild = row.unclean === 'rebuild' && row.parent_id !== null
    if (row.unclean === null || (!rebuild && DEAD.includes(row.power)))
      return await this.#done(row, false)
    this.#cleaning.add(row.id)
    this.#act(row, rebuild)
      .then(
        async () => {
          if (rebuild) await this.#done(row, true)
        },
        async (error: unknown) => {
          await this.#failed(row, error)
        },
      )
      .catch((error: unknown) => {
        this.deps.log.error({ err: error, machine: row.name }, 'cleaning a desktop failed')
      })
      .finally(() => {
        this.#cleaning.delete(row.id)
        this.deps.events.publish('assignmentChanged', row.id)
      })
  }

  async #act(row: Dirty, rebuild: boolean): Promise<void> {
    const initial = rebuild
      ? await this.deps.store
          .selectFrom('machine')
          .select('name')
          .where('id', '=', row.parent_id)
          .executeTakeFirstOrThrow()
      : null
    const job = initial
      ? await this.deps.images.populate(initial.name, { force: true }, BERTH, [row.id])
      : await this.deps.machines.power(row.name, { action: 'shutdown' }, BERTH)
    const ended = await this.deps.jobs.ended(job)
    const target = ended.targets.find((one) => one.name === row.name)
    if (target?.state === 'done') return
    const said = target?.message || ended.message
    throw said ? refusal('other_job_failed', { said }) : refusal('not_cleaned')
  }

  /** Clean: free for the next, or for the one who was promised it. */
  async #done(row: Dirty, rebuilt: boolean): Promise<void> {
    const change = {
      unclean: null,
      tries: 0,
      retry_at: 0,
      ...(rebuilt ? { fresh: 1 as const } : {}),
    }
    if (row.state === 'assigned')
      await this.deps.store
        .updateTable('desktop')
        .set(change)
        .where('machine_id', '=', row.id)
        .where('state', '=', 'assigned')
        .execute()
    else await enterDesktop(this.deps.store, row.id, 'free', change, this.deps.now(), ['cleaning'])
    this.deps.events.publish('assignmentChanged', row.id)
  }

  async #failed(row: Dirty, error: unknown): Promise<void> {
    // another job was quicker; it is looked at again when that ends
    if (error instanceof BrokerError && error.code === 'busy') return
    const tries = row.tries + 1
    const now = this.deps.now()
    await this.deps.store
      .updateTable('desktop')
      .set({ tries, retry_at: now + FIRST_RETRY_MS * 2 ** row.tries })
      .where('machine_id', '=', row.id)
      .execute()
    if (tries < TRIES) return
    const reason =
      `It could not be ${row.unclean === 'rebuild' ? 'rebuilt' : 'stopped'} after its last ` +
      `use: ${sentenceOf(error)}`
    if (row.state === 'assigned')
      await this.deps.claims.move(row.id, 'it could not be cleaned', true, BERTH)
    else await enterDesktop(this.deps.store, row.id, 'failed', { reason }, now, ['cleaning'])
  }
}
