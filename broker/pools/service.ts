import { randomUUID } from 'node:crypto'
import type { Static } from '@sinclair/typebox'
import type {
  Pool,
  PoolCreate,
  PoolDetail,
  PoolMaintenance,
  PoolPatch,
  PoolPolicy,
} from '../api/pools.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import type { Events } from '../events/bus.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Observer } from '../machines/observer.js'
import { requireMachine } from '../machines/store.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { MachineRow } from '../store/tables.js'
import type { BuildInput } from './build-job.js'
import {
  changedPolicy,
  defaultPolicy,
  faultsOfPolicy,
  idleSinceAfterChange,
  missingNumbers,
  resizedPolicy,
} from './policy.js'
import { listMembers, listPools } from './listing.js'
import type { RemoveInput } from './remove-job.js'
import { addMember, type PoolWithPolicy, removeMember, requirePool } from './store.js'

export interface PoolsDeps {
  readonly store: Store
  readonly events: Events
  readonly jobs: JobRunner
  readonly observer: Observer
  readonly now: () => number
}

/** What members are made of; `golden`: the machine whose disk the initial is copied from. */
export interface Hardware {
  readonly golden?: string
  readonly memoryMib?: number
  readonly vcpus?: number
  readonly network?: string
  readonly discardChanges?: boolean
}

/** A wish that is recorded: the pool's id, and the job that carries it out, if one is needed. */
export interface Wished {
  readonly id: string
  readonly job: string | null
}

/**
 * What callers may ask of pools. Each wish is recorded in one transaction; jobs and the keeper make
 * it true.
 */
export class Pools {
  constructor(readonly deps: PoolsDeps) {}

  async list(): Promise<Pool[]> {
    return await listPools(this.deps.store, {})
  }

  async show(name: string): Promise<PoolDetail> {
    const pool = await requirePool(this.deps.store, name)
    return {
      pool: await this.#toApi(pool.id),
      members: await listMembers(this.deps.store, pool, (id) =>
        this.deps.observer.occupancy.use(id),
      ),
    }
  }

  async create(wish: PoolCreate, by: Actor): Promise<{ pool: Pool; job: string | null }> {
    await this.requireGoldenOff(wish)
    const { id, job } = await inTransaction(
      this.deps.store,
      async (tx) => await this.createIn(tx, wish, by),
    )
    return await this.#answer(id, job)
  }

  /** Asks the hypervisor, so not to be done in a transaction. Throws `machine_running`. */
  async requireGoldenOff({ from }: Pick<PoolCreate, 'from'>): Promise<void> {
    if (from !== undefined)
      await this.deps.observer.requireOff((await requireMachine(this.deps.store, from)).name)
  }

  /** As `create`, inside the caller's transaction; then `woke` is to be called. */
  async createIn(tx: Queries, wish: PoolCreate, by: Actor): Promise<Wished> {
    const golden = wish.from === undefined ? null : await requireMachine(tx, wish.from)
    const size = firstSize(wish, golden)
    const policy = checkedPolicy({ ...defaultPolicy(), min: size, ...wish.policy })
    const hardware: Hardware = {
      ...(golden && golden.type !== 'initial' ? { golden: golden.name } : {}),
      ...given(wish, ['memoryMib', 'vcpus', 'network', 'discardChanges']),
    }
    await refuseTaken(tx, wish.name)
    const id = randomUUID()
    const now = this.deps.now()
    const hypervisors = await Promise.all(
      (wish.hypervisors ?? []).map(async (name) => await knownHypervisor(tx, name)),
    )
    await tx
      .insertInto('pool')
      .values({
        id,
        name: wish.name,
        namespace: wish.namespace ?? '',
        initial_id: golden?.type === 'initial' ? golden.id : null,
        policy: JSON.stringify(policy),
        hardware: JSON.stringify(hardware),
        hypervisors: JSON.stringify(hypervisors),
        size,
        spares: policy.spares,
        state: 'active',
        needed_at: now,
        created_at: now,
      })
      .execute()
    await refuseForeignNames(tx, wish.name, missingNumbers(size, []))
    await recordEvent(tx, by, 'pool.create', `pool:${wish.name}`, {
      from: golden?.name ?? null,
      size,
      policy: wish.policy ?? {},
    })
    return {
      id,
      job:
        size === 0
          ? null
          : await this.#build(tx, { id, name: wish.name }, missingNumbers(size, []), by),
    }
  }

  /**
   * Changes policy and size. Growing makes what is missing; shrinking takes the free members, and
   * with force also those that somebody has.
   */
  async change(
    name: string,
    patch: PoolPatch,
    by: Actor,
  ): Promise<{ pool: Pool; job: string | null }> {
    const { id, job } = await inTransaction(
      this.deps.store,
      async (tx) => await this.changeIn(tx, name, patch, by),
    )
    return await this.#answer(id, job)
  }

  /** As `change`, inside the caller's transaction; then `woke` is to be called. */
  async changeIn(tx: Queries, name: string, patch: PoolPatch, by: Actor): Promise<Wished> {
    const pool = await requirePool(tx, name)
    refuseDeleting(pool)
    const size = patch.size ?? pool.size
    if (
      patch.size !== undefined &&
      size > 0 &&
      pool.initial_id === null &&
      (JSON.parse(pool.hardware) as Hardware).golden === undefined
    ) {
      throw new BrokerError(
        'invalid_request',
        `${name} has no golden machine to make members from: add machines with "berth pool add ${name} MACHINE".`,
      )
    }
    const policy = checkedPolicy(
      changedPolicy(resizedPolicy(pool.policy, patch.size), patch.policy ?? {}),
    )
    await tx
      .updateTable('pool')
      .set({
        policy: JSON.stringify(policy),
        size,
        spares: policy.spares,
        needed_at: this.deps.now(),
        retry_at: 0,
        tries: 0,
      })
      .where('id', '=', pool.id)
      .execute()
    if (policy.retention !== pool.policy.retention)
      await this.#leaveTime(tx, pool.id, policy.retention)
    await recordEvent(tx, by, 'pool.change', `pool:${pool.name}`, {
      before: { size: pool.size, ...changedFields(pool.policy, policy) },
      after: { size, ...changedFields(policy, pool.policy) },
      force: patch.force ?? false,
    })
    const missing = size > pool.size ? missingNumbers(size, await numbersOf(tx, pool)) : []
    await refuseForeignNames(tx, pool.name, missing)
    return {
      id: pool.id,
      job: missing.length === 0 ? null : await this.#build(tx, pool, missing, by),
    }
  }

  async #leaveTime(tx: Queries, poolId: string, retention: string): Promise<void> {
    const now = this.deps.now()
    for (const held of await tx
      .selectFrom('assignment')
      .select(['machine_id', 'idle_since'])
      .where('pool_id', '=', poolId)
      .execute()) {
      const since = idleSinceAfterChange(retention, held.idle_since, now)
      if (since !== held.idle_since)
        await tx
          .updateTable('assignment')
          .set({ idle_since: since })
          .where('machine_id', '=', held.machine_id)
          .execute()
    }
  }

  /**
   * From now on nothing is claimed; then the job takes the members and the pool away. Repeated, it
   * names the job that is at it.
   */
  async remove(name: string, keepMachines: boolean, by: Actor): Promise<string> {
    const { id, job } = await inTransaction(this.deps.store, async (tx) => {
      const pool = await requirePool(tx, name)
      const running = await tx
        .selectFrom('job')
        .select('id')
        .where('kind', '=', 'pool-remove')
        .where('subject', '=', pool.name)
        .where('finished_at', 'is', null)
        .executeTakeFirst()
      if (running) return { id: pool.id, job: running.id }
      await tx.updateTable('pool').set({ state: 'deleting' }).where('id', '=', pool.id).execute()
      await recordEvent(tx, by, 'pool.delete', `pool:${pool.name}`, { keepMachines })
      const wish = { keepMachines, forget: true, machines: null }
      return { id: pool.id, job: await this.#remove(tx, pool, wish, by) }
    })
    this.woke(id)
    return job
  }

  async setMaintenance(
    name: string,
    { on, reason }: Static<typeof PoolMaintenance>,
    by: Actor,
  ): Promise<Pool> {
    const pool = await requirePool(this.deps.store, name)
    await inTransaction(this.deps.store, async (tx) => {
      await tx
        .updateTable('pool')
        .set({ maintenance: on ? 1 : 0, maintenance_reason: on ? (reason ?? '') : '' })
        .where('id', '=', pool.id)
        .execute()
      await recordEvent(tx, by, `pool.maintenance-${on ? 'on' : 'off'}`, `pool:${pool.name}`, {
        reason: reason ?? '',
      })
    })
    this.woke(pool.id)
    return await this.#toApi(pool.id)
  }

  /** A machine that exists becomes a member by hand; it may be in several pools. */
  async add(name: string, machineName: string, by: Actor): Promise<Pool> {
    const { id } = await inTransaction(
      this.deps.store,
      async (tx) => await this.addIn(tx, name, machineName, by),
    )
    return (await this.#answer(id, null)).pool
  }

  /** As `add`, inside the caller's transaction; then `woke` is to be called. */
  async addIn(tx: Queries, name: string, machineName: string, by: Actor): Promise<Wished> {
    const pool = await requirePool(tx, name)
    refuseDeleting(pool)
    const machine = await requireMachine(tx, machineName)
    if (machine.type === 'source' || machine.type === 'initial')
      throw new BrokerError(
        'wrong_type',
        `${machine.name} is a ${machine.type} machine: only vdi and simple machines are handed to people.`,
      )
    await this.#refuseHeld(tx, machine)
    await addMember(tx, pool.id, machine, { built: false, state: 'free' }, this.deps.now())
    await recordEvent(tx, by, 'pool.add', `pool:${pool.name}`, { machine: machine.name })
    return { id: pool.id, job: null }
  }

  /**
   * A machine that somebody has, or works on, is not handed to others; a device that had it by name
   * and has left loses it.
   */
  async #refuseHeld(tx: Queries, machine: { id: string; name: string }): Promise<void> {
    const member = await tx
      .selectFrom('desktop')
      .select('state')
      .where('machine_id', '=', machine.id)
      .executeTakeFirst()
    if (member) return // of another pool: its assignment counts for both
    const held = await tx
      .selectFrom('assignment')
      .select(['holder', 'fixed'])
      .where('machine_id', '=', machine.id)
      .executeTakeFirst()
    if (held?.fixed === 1)
      throw new BrokerError(
        'assigned',
        `${held.holder.replace(/^user:/, '')} has ${machine.name}: release it first with ` +
          `"berth release ${machine.name}".`,
      )
    const { viewers, unknown } = this.deps.observer.occupancy.use(machine.id)
    if (held !== undefined && viewers.length === 0 && unknown !== null)
      throw new BrokerError(
        'assigned',
        `It is not known whether somebody is connected to ${machine.name}: ${unknown.replace(/\.$/, '')}.`,
      )
    if (viewers.length > 0)
      throw new BrokerError(
        'assigned',
        `Somebody is connected to ${machine.name}: wait until they have left.`,
      )
    await tx.deleteFrom('assignment').where('machine_id', '=', machine.id).execute()
  }

  /** Takes a machine out of the pool; it is not deleted. One that somebody has through this pool is refused. */
  async take(name: string, machineName: string, by: Actor): Promise<Pool> {
    const { id } = await inTransaction(
      this.deps.store,
      async (tx) => await this.takeIn(tx, name, machineName, by),
    )
    return (await this.#answer(id, null)).pool
  }

  /** As `take`, inside the caller's transaction; then `woke` is to be called. */
  async takeIn(tx: Queries, name: string, machineName: string, by: Actor): Promise<Wished> {
    const pool = await requirePool(tx, name)
    const machine = await requireMachine(tx, machineName)
    const held = await tx
      .selectFrom('assignment')
      .select('holder')
      .where('machine_id', '=', machine.id)
      .where('pool_id', '=', pool.id)
      .executeTakeFirst()
    if (held)
      throw new BrokerError(
        'assigned',
        `${machine.name} is assigned: release it first with "berth release ${machine.name}".`,
      )
    const member = await tx
      .selectFrom('pool_member')
      .select('built')
      .where('pool_id', '=', pool.id)
      .where('machine_id', '=', machine.id)
      .executeTakeFirst()
    if (!member) throw new BrokerError('not_found', `${machine.name} is no member of ${pool.name}.`)
    await removeMember(tx, pool.id, machine.id)
    if (member.built === 1)
      await tx
        .updateTable('pool')
        .set({
          size: Math.max(0, pool.size - 1),
          policy: JSON.stringify({
            ...pool.policy,
            min: Math.min(pool.policy.min, Math.max(0, pool.size - 1)),
          }),
        })
        .where('id', '=', pool.id)
        .execute()
    await recordEvent(tx, by, 'pool.remove', `pool:${pool.name}`, { machine: machine.name })
    return { id: pool.id, job: null }
  }

  /** Makes the members that are missing. Inside the caller's transaction. */
  async #build(
    tx: Queries,
    pool: { id: string; name: string },
    numbers: readonly number[],
    by: Actor,
  ): Promise<string> {
    const names = numbers.map((number) => `${pool.name}-${number}`)
    const input: BuildInput = { pool: { id: pool.id, name: pool.name }, names }
    return await this.deps.jobs.create(
      tx,
      {
        kind: 'pool-build',
        subject: pool.name,
        input,
        targets: [`${pool.name} golden image`, ...names],
        locks: [],
      },
      by,
      'pool',
    )
  }

  async #remove(
    tx: Queries,
    pool: PoolWithPolicy,
    wish: { keepMachines: boolean; forget: boolean; machines: readonly string[] | null },
    by: Actor,
  ): Promise<string> {
    const members = await tx
      .selectFrom('pool_member')
      .innerJoin('machine', 'machine.id', 'pool_member.machine_id')
      .select(['machine.id', 'machine.name', 'pool_member.built'])
      .where('pool_id', '=', pool.id)
      .orderBy('machine.name')
      .execute()
    const doomed = wish.keepMachines
      ? []
      : members
          .filter((member) => member.built === 1 && (wish.machines?.includes(member.id) ?? true))
          .map(({ id, name }) => ({ id, name }))
    const input: RemoveInput = {
      pool: { id: pool.id, name: pool.name },
      machines: doomed,
      forget: wish.forget,
      initial:
        wish.forget && !wish.keepMachines && pool.initial_made === 1 ? pool.initial_id : null,
    }
    return await this.deps.jobs.create(
      tx,
      {
        kind: 'pool-remove',
        subject: pool.name,
        input,
        targets: [
          ...doomed.map((machine) => machine.name),
          ...(wish.forget ? [`${pool.name} itself`] : []),
        ],
        locks: [],
      },
      by,
      'pool',
    )
  }

  /** For the keeper: makes the missing members again, or lets these go. */
  async adjust(
    pool: PoolWithPolicy,
    wish: { build: readonly number[] } | { remove: readonly string[] },
    by: Actor,
  ): Promise<string> {
    const job = await inTransaction(this.deps.store, async (tx) =>
      'build' in wish
        ? await this.#build(tx, pool, wish.build, by)
        : await this.#remove(
            tx,
            pool,
            { keepMachines: false, forget: false, machines: wish.remove },
            by,
          ),
    )
    this.deps.jobs.wake()
    return job
  }

  /** As `adjust`, unless a job works on the pool already: then null. */
  async adjustWhenIdle(
    pool: PoolWithPolicy,
    wish: { remove: readonly string[] },
    by: Actor,
  ): Promise<string | null> {
    const job = await inTransaction(this.deps.store, async (tx) => {
      const busy = await tx
        .selectFrom('job')
        .select('id')
        .where('subject', '=', pool.name)
        .where('kind', 'in', ['pool-build', 'pool-remove'])
        .where('finished_at', 'is', null)
        .executeTakeFirst()
      return busy
        ? null
        : await this.#remove(
            tx,
            pool,
            { keepMachines: false, forget: false, machines: wish.remove },
            by,
          )
    })
    if (job !== null) this.deps.jobs.wake()
    return job
  }

  async #answer(id: string, job: string | null): Promise<{ pool: Pool; job: string | null }> {
    this.woke(id)
    return { pool: await this.#toApi(id), job }
  }

  /** A wish about this pool was recorded: those who carry it out look now. */
  woke(id: string): void {
    this.deps.jobs.wake()
    this.deps.events.publish('poolChanged', id)
  }

  async #toApi(id: string): Promise<Pool> {
    const [pool] = await listPools(this.deps.store, { id })
    if (!pool) throw new BrokerError('not_found', 'The pool was deleted meanwhile.')
    return pool
  }
}

function checkedPolicy(policy: PoolPolicy): PoolPolicy {
  const faults = faultsOfPolicy(policy)
  if (faults.length > 0)
    throw new BrokerError(
      'invalid_request',
      `The policy is refused: ${faults.map(({ field, fault }) => `${field} ${fault}`).join('; ')}.`,
      { details: faults },
    )
  return policy
}

function refuseDeleting(pool: PoolWithPolicy): void {
  if (pool.state === 'deleting') throw new BrokerError('busy', `${pool.name} is being deleted.`)
}

/** Its name as it is written. Throws `not_found`. */
async function knownHypervisor(queries: Queries, name: string): Promise<string> {
  const row = await queries
    .selectFrom('hypervisor')
    .select('name')
    .where('name', '=', name)
    .executeTakeFirst()
  if (!row)
    throw new BrokerError(
      'not_found',
      `There is no hypervisor ${name}: "berth hypervisor list" shows all.`,
    )
  return row.name
}

async function numbersOf(queries: Queries, pool: { id: string; name: string }): Promise<number[]> {
  const rows = await queries
    .selectFrom('pool_member')
    .select('name')
    .where('pool_id', '=', pool.id)
    .where('built', '=', 1)
    .execute()
  return rows.map((row) => memberNumber(pool.name, row.name)).filter((number) => number > 0)
}

/** The N of POOL-N, or 0. */
export function memberNumber(pool: string, machine: string): number {
  return machine.toLowerCase().startsWith(`${pool.toLowerCase()}-`)
    ? Number(/^\d+$/.exec(machine.slice(pool.length + 1))?.[0] ?? 0)
    : 0
}

/** A machine that has nothing to do with the pool may already have the name of a member. */
async function refuseForeignNames(
  queries: Queries,
  pool: string,
  numbers: readonly number[],
): Promise<void> {
  if (numbers.length === 0) return
  const taken = await queries
    .selectFrom('machine')
    .select('name')
    .where(
      'name',
      'in',
      numbers.map((number) => `${pool}-${number}`),
    )
    .limit(1)
    .executeTakeFirst()
  if (taken)
    throw new BrokerError(
      'name_taken',
      `There is a machine ${taken.name} already, and a member of ${pool} would be called so: ` +
        'choose another name for the pool, or delete that machine.',
    )
}

function given<T extends object, K extends keyof T>(
  from: T,
  keys: readonly K[],
): Partial<Pick<T, K>> {
  return Object.fromEntries(
    keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]),
  ) as Partial<Pick<T, K>>
}

/** Of `one`, the fields that differ from `other`. */
function changedFields(one: PoolPolicy, other: PoolPolicy): Partial<PoolPolicy> {
  return Object.fromEntries(
    Object.entries(one).filter(
      ([name, value]) => JSON.stringify(value) !== JSON.stringify(other[name as keyof PoolPolicy]),
    ),
  )
}

/** How many members it builds at first. Throws `invalid_request` where they could be made from nothing. */
function firstSize({ size: wished, policy }: PoolCreate, golden: MachineRow | null): number {
  const size = wished ?? policy?.min ?? (golden ? 1 : 0)
  if (size > 0 && !golden)
    throw new BrokerError(
      'invalid_request',
      `A pool that builds ${size} members needs the golden machine they are made from: ` +
        'give "from", or a size of 0.',
    )
  return size
}

async function refuseTaken(queries: Queries, name: string): Promise<void> {
  const taken = await queries
    .selectFrom('pool')
    .select('name')
    .where('name', '=', name)
    .executeTakeFirst()
  if (taken)
    throw new BrokerError(
      'name_taken',
      `There is a pool ${taken.name} already: choose another name, or change its size with ` +
        `"berth pool resize ${taken.name} N".`,
    )
}
