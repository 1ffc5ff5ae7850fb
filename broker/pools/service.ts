import type { Static } from '@sinclair/typebox'
import type { Pool, PoolCreate, PoolDetail, PoolMaintenance, PoolPatch } from '../api/pools.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import { inTransaction } from '../store/transaction.js'
import { changePool } from './changing.js'
import { createPool, requireGoldenOff } from './creating.js'
import { listMembers, listPools } from './listing.js'
import { buildMembers, type Removal, removeMembers } from './member-jobs.js'
import { addByHand, takeOut } from './members.js'
import { type PoolWithPolicy, requirePool } from './store.js'
import { type PoolsDeps, wakeFor, type Wished } from './wishes.js'

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
    await requireGoldenOff(this.deps, wish)
    const wished = await inTransaction(
      this.deps.store,
      async (tx) => await createPool(this.deps, tx, wish, by),
    )
    return await this.#answer(wished)
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
    const wished = await inTransaction(
      this.deps.store,
      async (tx) => await changePool(this.deps, tx, name, patch, by),
    )
    return await this.#answer(wished)
  }

  /**
   * From now on nothing is claimed; then the job takes the members and the pool away. Repeated, it
   * names the job that is at it.
   */
  async remove(name: string, keepMachines: boolean, by: Actor): Promise<string> {
    return await inTransaction(this.deps.store, async (tx) => {
      const pool = await requirePool(tx, name)
      wakeFor(this.deps, tx, pool.id)
      const running = await tx
        .selectFrom('job')
        .select('id')
        .where('kind', '=', 'pool-remove')
        .where('subject', '=', pool.name)
        .where('finished_at', 'is', null)
        .executeTakeFirst()
      if (running) return running.id
      await tx.updateTable('pool').set({ state: 'deleting' }).where('id', '=', pool.id).execute()
      await recordEvent(tx, by, 'pool.delete', `pool:${pool.name}`, { keepMachines })
      const wish = { keepMachines, forget: true, machines: null }
      return await removeMembers(this.deps.jobs, tx, pool, wish, by)
    })
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
      wakeFor(this.deps, tx, pool.id)
    })
    return await this.#toApi(pool.id)
  }

  /** A machine that exists becomes a member by hand; it may be in several pools. */
  async add(name: string, machineName: string, by: Actor): Promise<Pool> {
    const { id } = await inTransaction(
      this.deps.store,
      async (tx) => await addByHand(this.deps, tx, name, machineName, by),
    )
    return await this.#toApi(id)
  }

  /** Takes a machine out of the pool; it is not deleted. One that somebody has through this pool is refused. */
  async take(name: string, machineName: string, by: Actor): Promise<Pool> {
    const { id } = await inTransaction(
      this.deps.store,
      async (tx) => await takeOut(this.deps, tx, name, machineName, by),
    )
    return await this.#toApi(id)
  }

  /** For the keeper: makes the missing members again, or lets these go. */
  async adjust(
    pool: PoolWithPolicy,
    wish: { build: readonly number[] } | { remove: readonly string[] },
    by: Actor,
  ): Promise<string> {
    const { store, jobs } = this.deps
    return await inTransaction(store, async (tx) =>
      'build' in wish
        ? await buildMembers(jobs, tx, pool, wish.build, by)
        : await removeMembers(jobs, tx, pool, membersOnly(wish.remove), by),
    )
  }

  /** As `adjust`, unless a job works on the pool already: then null. */
  async adjustWhenIdle(
    pool: PoolWithPolicy,
    wish: { remove: readonly string[] },
    by: Actor,
  ): Promise<string | null> {
    const { store, jobs } = this.deps
    return await inTransaction(store, async (tx) => {
      const busy = await tx
        .selectFrom('job')
        .select('id')
        .where('subject', '=', pool.name)
        .where('kind', 'in', ['pool-build', 'pool-remove'])
        .where('finished_at', 'is', null)
        .executeTakeFirst()
      return busy ? null : await removeMembers(jobs, tx, pool, membersOnly(wish.remove), by)
    })
  }

  async #answer({ id, job }: Wished): Promise<{ pool: Pool; job: string | null }> {
    return { pool: await this.#toApi(id), job }
  }

  async #toApi(id: string): Promise<Pool> {
    const [pool] = await listPools(this.deps.store, { id })
    if (!pool) throw refusal('pool_gone')
    return pool
  }
}

function membersOnly(machines: readonly string[]): Removal {
  return { keepMachines: false, forget: false, machines }
}
