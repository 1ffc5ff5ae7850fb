import type { Logger } from 'pino'
import { BERTH, recordEvent } from '../audit/store.js'
import { BrokerError } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { Machines } from '../machines/service.js'
import { shownHolder } from '../occupancy/policy.js'
import { dueEntries } from '../pools/schedule.js'
import { type PoolWithPolicy, readPool } from '../pools/store.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { Claims } from './claims.js'
import type { Hosts } from './hosts.js'

/** `now`: the fair clock's, for times of assignments; `wallClock`: for the schedule. */
export interface PowerWindowsDeps {
  readonly store: Store
  readonly events: Events
  readonly claims: Claims
  readonly hosts: Hosts
  readonly machines: Machines
  readonly log: Logger
  readonly now: () => number
  readonly wallClock: () => number
}

/** From the warning of a person who is connected to the moment their desktop is shut down. */
const WARN_MS = 10 * 60_000

/**
 * The hours of a pool's schedule at which desktops that people have are started or shut down.
 * (Spares follow the schedule by themselves.) Their assignments stay.
 */
export class PowerWindows {
  constructor(readonly deps: PowerWindowsDeps) {}

  /** `since`: the time of the last look, also one before a restart; null: there was none. */
  async look(since: number | null): Promise<void> {
    const now = this.deps.wallClock()
    for (const row of since === null
      ? []
      : await this.deps.store
          .selectFrom('pool')
          .selectAll()
          .where('state', '=', 'active')
          .execute()) {
      const pool = readPool(row)
      for (const entry of dueEntries(pool.policy, since ?? now, now)) {
        if (entry.do === 'start') await this.#start(pool)
        else await this.#stop(pool, entry.connected ?? 'spare')
      }
    }
    await this.#shutdownWarned()
  }

  async #start(pool: PoolWithPolicy): Promise<void> {
    const rows = await this.#held(pool.id)
    await this.deps.store
      .updateTable('assignment')
      .set({ wanted: 1 })
      .where('pool_id', '=', pool.id)
      .execute()
    for (const row of rows) this.deps.events.publish('assignmentChanged', row.machine_id)
  }

  async #stop(pool: PoolWithPolicy, connected: 'spare' | 'warn'): Promise<void> {
    const stopAt = this.deps.now() + WARN_MS
    for (const row of await this.#held(pool.id)) {
      // Of whom it is not known whether they are connected, they count as connected.
      const gone = row.connected === 0 && this.deps.hosts.unknownUse(row.machine_id) === null
      if (gone) await this.#shutdown(row)
      else if (connected === 'warn') {
        await inTransaction(this.deps.store, async (tx) => {
          await tx
            .updateTable('assignment')
            .set({ stop_at: stopAt })
            .where('machine_id', '=', row.machine_id)
            .execute()
          await recordEvent(tx, BERTH, 'desktop.warn', `machine:${row.name}`, {
            holder: shownHolder(row.holder),
            takenAt: new Date(stopAt).toISOString(),
            sentence: 'The schedule shuts it down.',
          })
        })
        this.deps.events.publish('assignmentChanged', row.machine_id)
      }
    }
  }

  async #shutdownWarned(): Promise<void> {
    const rows = await this.deps.store
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .select(['assignment.machine_id', 'machine.name', 'machine.power'])
      .where('assignment.stop_at', '<=', this.deps.now())
      .execute()
    for (const row of rows)
      if (this.deps.hosts.unknownUse(row.machine_id) === null) await this.#shutdown(row)
  }

  async #shutdown(row: { machine_id: string; name: string; power: string }): Promise<void> {
    await this.deps.store
      .updateTable('assignment')
      .set({ stop_at: null, wanted: 0 })
      .where('machine_id', '=', row.machine_id)
      .execute()
    if (row.power !== 'running') return
    await this.deps.machines
      .power(row.name, { action: 'shutdown' }, BERTH)
      .catch((error: unknown) => {
        if (!(error instanceof BrokerError)) throw error
        this.deps.log.warn(
          { err: error, machine: row.name },
          'the schedule could not shut a desktop down',
        )
      })
  }

  async #held(poolId: string) {
    return await this.deps.store
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .select([
        'assignment.machine_id',
        'assignment.connected',
        'assignment.holder',
        'machine.name',
        'machine.power',
      ])
      .where('pool_id', '=', poolId)
      .execute()
  }
}
