import type { Logger } from 'pino'
import type { PowerState } from '../api/machines.js'
import { BERTH } from '../audit/store.js'
import { BrokerError } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Observer } from '../machines/observer.js'
import type { Machines } from '../machines/service.js'
import { Rounds } from '../rounds.js'
import type { Store } from '../store/open.js'
import {
  type MemberFacts,
  membersToRemove,
  milliseconds,
  missingNumbers,
  spareSteps,
  wantedSize,
} from './policy.js'
import { scheduledSpares } from './schedule.js'
import { memberNumber } from './member-jobs.js'
import type { Pools } from './service.js'
import { type PoolWithPolicy, readPool, refreshMembers } from './store.js'

export interface PoolKeeperDeps {
  readonly store: Store
  readonly events: Events
  readonly pools: Pools
  readonly jobs: JobRunner
  readonly machines: Machines
  readonly observer: Observer
  readonly hypervisors: Hypervisors
  readonly log: Logger
  readonly now: () => number
}

interface Member extends MemberFacts {
  readonly id: string
  readonly hypervisor: string
  readonly memoryMib: number
  readonly busy: boolean
  readonly power: PowerState
}

const LOOK_EVERY_MS = 5_000
const MACHINES_AT_ONCE = 500

/**
 * Makes pools what their policies say: as many members as wanted, so many of them running, nobody's
 * desktop touched. One look at all pools after another; each step may be repeated.
 */
export class PoolKeeper {
  readonly #rounds: Rounds
  /** Machines that have changed since the last look. */
  readonly #changed = new Set<string>()
  /** Pools that have, by themselves. */
  readonly #changedPools = new Set<string>()

  constructor(readonly deps: PoolKeeperDeps) {
    this.#rounds = new Rounds({
      look: async (all) => {
        await this.#look(all)
      },
      everyMs: LOOK_EVERY_MS,
      log: deps.log,
      failed: 'keeping the pools failed',
    })
  }

  start(): void {
    const { events } = this.deps
    events.subscribeAll(['poolChanged', 'poolFreed'], (id) => {
      this.#changedPools.add(id)
      this.#rounds.wake()
    })
    events.subscribeAll(['assignmentChanged', 'powerChanged', 'maintenanceChanged'], (id) => {
      this.#note([id])
    })
    events.subscribe('jobReleased', (ids) => {
      this.#note(ids)
    })
    this.#rounds.start()
  }

  async stop(): Promise<void> {
    await this.#rounds.stop()
  }

  /** Looks at all pools soon; calls while it waits to look make one look. */
  wake(): void {
    this.#rounds.wake(true)
  }

  #note(machineIds: readonly string[]): void {
    for (const id of machineIds) this.#changed.add(id)
    this.#rounds.wake()
  }

  /** `all`: also at pools that nothing was heard of, which time alone may have changed. */
  async #look(all: boolean): Promise<void> {
    const concerned = await this.#concerned()
    if (!all && concerned.length === 0) return
    const rows = await this.deps.store
      .selectFrom('pool')
      .selectAll()
      .where('state', '=', 'active')
      .$if(!all, (q) => q.where('id', 'in', concerned))
      .execute()
    for (const row of rows) {
      try {
        await this.#keep(readPool(row))
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error
        this.deps.log.warn(
          { err: error, pool: row.name },
          'a pool could not be kept; it is looked at again',
        )
      }
    }
  }

  /** The pools that have changed, or whose members have; what claims look at is written for those. */
  async #concerned(): Promise<string[]> {
    const { store } = this.deps
    const machines = [...this.#changed]
    const pools = new Set(this.#changedPools)
    this.#changed.clear()
    this.#changedPools.clear()
    for (let from = 0; from < machines.length; from += MACHINES_AT_ONCE) {
      const some = machines.slice(from, from + MACHINES_AT_ONCE)
      await refreshMembers(store, some)
      const rows = await store
        .selectFrom('pool_member')
        .select('pool_id')
        .distinct()
        .where('machine_id', 'in', some)
        .execute()
      for (const row of rows) pools.add(row.pool_id)
    }
    return [...pools]
  }

  async #keep(pool: PoolWithPolicy): Promise<void> {
    const members = await this.#members(pool)
    const spares = scheduledSpares(pool.policy, this.deps.now())
    if (spares !== pool.spares)
      await this.deps.store.updateTable('pool').set({ spares }).where('id', '=', pool.id).execute()
    const size = await this.#resize(pool, members, spares)
    await this.#makeSize(pool, members, size)
    await this.#keepSpares(members, spares)
  }

  async #members(pool: PoolWithPolicy): Promise<Member[]> {
    const rows = await this.deps.store
      .selectFrom('pool_member')
      .innerJoin('machine', 'machine.id', 'pool_member.machine_id')
      .innerJoin('desktop', 'desktop.machine_id', 'machine.id')
      .leftJoin('job_lock', 'job_lock.machine_id', 'machine.id')
      .select([
        'machine.id',
        'machine.name',
        'machine.hypervisor',
        'machine.power',
        'machine.memory_mib',
        'machine.maintenance',
        'desktop.state',
        'desktop.unclean',
        'pool_member.built',
        'job_lock.job_id',
      ])
      .where('pool_id', '=', pool.id)
      .execute()
    return rows.map((row) => ({
      id: row.id,
      machine: row.name,
      state: row.state,
      running: row.power === 'running',
      power: row.power,
      built: row.built === 1,
      number: memberNumber(pool.name, row.name),
      hypervisor: row.hypervisor,
      memoryMib: row.memory_mib,
      maintenance:
        row.maintenance === 1 ||
        row.unclean !== null ||
        this.deps.hypervisors.row(row.hypervisor).maintenance === 1,
      // Whose viewers are not known is left as it is, as if a job worked on it.
      busy: row.job_id !== null || this.#isUnknown(row),
    }))
  }

  #isUnknown({ id, power }: { id: string; power: PowerState }): boolean {
    return power !== 'off' && this.deps.observer.occupancy.unknown(id) !== null
  }

  async #resize(pool: PoolWithPolicy, members: readonly Member[], spares: number): Promise<number> {
    const { waiting } = await this.deps.store
      .selectFrom('waiter')
      .select((eb) => eb.fn.countAll<number>().as('waiting'))
      .where('pool_id', '=', pool.id)
      .executeTakeFirstOrThrow()
    const free = members.filter((member) => member.state === 'free' && !member.maintenance).length
    const now = this.deps.now()
    const idle = Math.max(0, free - spares)
    const size = wantedSize(
      {
        size: pool.size,
        min: pool.policy.min,
        max: pool.policy.max,
        idle,
        waiting: Number(waiting),
        neededAt: pool.needed_at,
        coolDownMs: milliseconds(pool.policy.coolDown),
      },
      now,
    )
    const neededAt = idle === 0 || size > pool.size ? now : pool.needed_at
    if (size !== pool.size || now - neededAt < LOOK_EVERY_MS)
      await this.deps.store
        .updateTable('pool')
        .set({ size, needed_at: neededAt })
        .where('id', '=', pool.id)
        .execute()
    return size
  }

  /** One job at a time makes what is missing or takes what is too much. */
  async #makeSize(pool: PoolWithPolicy, members: readonly Member[], size: number): Promise<void> {
    const busy = await this.deps.store
      .selectFrom('job')
      .select('id')
      .where('subject', '=', pool.name)
      .where('kind', 'in', ['pool-build', 'pool-remove'])
      .where('finished_at', 'is', null)
      .executeTakeFirst()
    const own = members.filter((member) => member.built)
    if (busy || pool.retry_at > this.deps.now()) return
    const half = own.filter((member) => member.state === 'building')
    const missing = missingNumbers(
      size,
      own.filter((member) => member.state !== 'building').map((member) => member.number),
    ).slice(0, Math.max(0, size - own.length + half.length))
    if (missing.length > 0) await this.deps.pools.adjust(pool, { build: missing }, BERTH)
    else if (own.length > size) {
      const doomed = membersToRemove(
        own.filter(({ id, power }) => !this.#isUnknown({ id, power })),
        own.length - size,
      )
      if (doomed.length > 0)
        await this.deps.pools.adjust(
          pool,
          {
            remove: own
              .filter((member) => doomed.includes(member.machine))
              .map((member) => member.id),
          },
          BERTH,
        )
    }
  }

  async #keepSpares(members: readonly Member[], spares: number): Promise<void> {
    const starting = members.filter(
      (member) => member.state === 'free' && member.busy && !member.running,
    ).length
    const { start, stop } = spareSteps(
      members.filter((member) => !member.busy),
      spares,
      starting,
    )
    const room = new Map<string, number>()
    for (const member of members.filter((one) => start.includes(one.machine))) {
      const status = this.deps.hypervisors.link(member.hypervisor).status()
      const left = room.get(member.hypervisor) ?? status.facts?.memory_free_mib ?? 0
      if (status.state !== 'up' || left < member.memoryMib) continue // a spare is not worth a host that swaps
      room.set(member.hypervisor, left - member.memoryMib)
      await this.#power(member, 'start')
    }
    for (const member of members.filter((one) => stop.includes(one.machine)))
      await this.#power(member, 'shutdown')
  }

  async #power(member: Member, action: 'start' | 'shutdown'): Promise<void> {
    const still = await this.deps.store
      .selectFrom('desktop')
      .select('state')
      .where('machine_id', '=', member.id)
      .executeTakeFirst()
    if (still?.state !== 'free') return // somebody has it meanwhile
    await this.deps.machines.power(member.machine, { action }, BERTH).catch((error: unknown) => {
      if (!(error instanceof BrokerError)) throw error
    })
  }
}
