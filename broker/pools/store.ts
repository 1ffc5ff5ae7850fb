import { LRUCache } from 'lru-cache'
import type { ExpressionBuilder } from 'kysely'
import type { DesktopState } from '../api/pools.js'
import type { PoolPolicy } from '../api/pool-policy.js'
import { refusal } from '../errors/broker-error.js'
import type { Queries } from '../store/open.js'
import type { DesktopRow, PoolRow, Tables } from '../store/tables.js'
import { defaultPolicy } from './policy.js'

/** A pool with its policy read. */
export interface PoolWithPolicy extends Omit<PoolRow, 'policy'> {
  readonly policy: PoolPolicy
}

const POLICIES = new LRUCache<string, PoolPolicy>({ max: 1_000 })

/** Policies are few and read at every claim: the same text gives the same object. */
export function readPool(row: PoolRow): PoolWithPolicy {
  const known = POLICIES.get(row.policy)
  if (known) return { ...row, policy: known }
  // A policy that was stored before a field existed has that field's default.
  const policy: PoolPolicy = { ...defaultPolicy(), ...(JSON.parse(row.policy) as PoolPolicy) }
  POLICIES.set(row.policy, policy)
  return { ...row, policy }
}

/** Throws `not_found`. */
export async function requirePool(queries: Queries, name: string): Promise<PoolWithPolicy> {
  const row = await queries
    .selectFrom('pool')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst()
  if (!row) throw refusal('pool_unknown', { pool: name })
  return readPool(row)
}

export async function poolById(queries: Queries, id: string): Promise<PoolWithPolicy | null> {
  const row = await queries.selectFrom('pool').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? readPool(row) : null
}

export async function poolsOf(queries: Queries, machineId: string): Promise<PoolWithPolicy[]> {
  const rows = await queries
    .selectFrom('pool_member')
    .innerJoin('pool', 'pool.id', 'pool_member.pool_id')
    .selectAll('pool')
    .where('pool_member.machine_id', '=', machineId)
    .orderBy('pool.name')
    .execute()
  return rows.map(readPool)
}

/** From which states a desktop enters a state; the guarded UPDATE refuses the rest. */
const ENTERED_FROM = {
  building: ['failed'],
  free: ['building', 'cleaning', 'assigned', 'free'],
  assigned: ['free', 'assigned'],
  cleaning: ['assigned', 'failed', 'free', 'cleaning'],
  failed: ['building', 'cleaning', 'assigned', 'failed', 'deleting'],
  deleting: ['building', 'free', 'failed', 'cleaning', 'deleting'],
} as const satisfies Record<DesktopState, readonly DesktopState[]>

export type DesktopChange = Partial<
  Pick<
    DesktopRow,
    'reason' | 'unclean' | 'last_holder' | 'fresh' | 'used_at' | 'tries' | 'retry_at'
  >
>

/**
 * Changes the state of a desktop if the table of transitions allows it, and what claims look at
 * with it; false when it does not.
 */
export async function enterDesktop(
  queries: Queries,
  machineId: string,
  state: DesktopState,
  change: DesktopChange,
  now: number,
  from: readonly DesktopState[] = ENTERED_FROM[state],
): Promise<boolean> {
  const allowed = from.filter((one) =>
    (ENTERED_FROM[state] as readonly DesktopState[]).includes(one),
  )
  const { numUpdatedRows } = await queries
    .updateTable('desktop')
    .set({ state, since: now, reason: '', ...change })
    .where('machine_id', '=', machineId)
    .where('state', 'in', allowed)
    .executeTakeFirst()
  if (numUpdatedRows !== 1n) return false
  if (state === 'free') await refreshMembers(queries, [machineId])
  else
    await queries
      .updateTable('pool_member')
      .set({ claimable: 0 })
      .where('machine_id', 'in', (eb) =>
        eb
          .selectFrom('desktop')
          .select('desktop.machine_id')
          .where('desktop.machine_id', '=', machineId)
          .where('state', '!=', 'free'),
      )
      .execute()
  return true
}

function claimable(eb: ExpressionBuilder<Tables, 'pool_member'>) {
  return eb
    .selectFrom('desktop')
    .innerJoin('machine', 'machine.id', 'desktop.machine_id')
    .whereRef('desktop.machine_id', '=', 'pool_member.machine_id')
    .select((of) =>
      of
        .case()
        .when(
          of.or([
            of('desktop.state', '!=', 'free'),
            of('machine.maintenance', '=', 1),
            of('machine.power', '=', 'missing'),
          ]),
        )
        .then(of.lit<0 | 1 | 2>(0))
        .when('desktop.unclean', 'is', null)
        .then(of.lit<0 | 1 | 2>(1))
        .else(of.lit<0 | 1 | 2>(2))
        .end()
        .as('claimable'),
    )
}

/**
 * Writes what claims look at again, after the power, the maintenance or the state of a machine
 * changed. One statement: between reading and writing the state could change, and a free desktop
 * would never be given again.
 */
export async function refreshMembers(
  queries: Queries,
  machineIds: readonly string[],
): Promise<void> {
  await queries
    .updateTable('pool_member')
    .set((eb) => {
      const machine = eb.selectFrom('machine').whereRef('machine.id', '=', 'pool_member.machine_id')
      const desktop = eb
        .selectFrom('desktop')
        .innerJoin('machine', 'machine.id', 'desktop.machine_id')
        .whereRef('desktop.machine_id', '=', 'pool_member.machine_id')
      const running = machine.select((of) =>
        of
          .case()
          .when('machine.power', '=', 'running')
          .then(of.lit<0 | 1>(1))
          .else(of.lit<0 | 1>(0))
          .end()
          .as('running'),
      )
      return {
        claimable: eb.fn.coalesce(claimable(eb), eb.lit<0 | 1 | 2>(0)),
        fresh: eb.fn.coalesce(desktop.select('desktop.fresh'), eb.ref('pool_member.fresh')),
        used_at: eb.fn.coalesce(desktop.select('desktop.used_at'), eb.ref('pool_member.used_at')),
        hypervisor: eb.fn.coalesce(
          machine.select('machine.hypervisor'),
          eb.ref('pool_member.hypervisor'),
        ),
        name: eb.fn.coalesce(machine.select('machine.name'), eb.ref('pool_member.name')),
        running: eb.fn.coalesce(running, eb.lit<0 | 1>(0)),
      }
    })
    .where('machine_id', 'in', [...machineIds])
    .execute()
}

/**
 * Makes a machine a member; a machine that nobody handed out before becomes a desktop, in `state`.
 * One that runs may show somebody's doings: it is stopped before anybody gets it.
 */
export async function addMember(
  queries: Queries,
  poolId: string,
  machine: { id: string; name: string; hypervisor: string },
  how: { built: boolean; state: 'building' | 'free' },
  now: number,
): Promise<void> {
  const seen = await queries
    .selectFrom('machine')
    .select('power')
    .where('id', '=', machine.id)
    .executeTakeFirst()
  const unclean = how.built || seen?.power === 'off' ? null : ('stop' as const)
  await queries
    .insertInto('desktop')
    .values({ machine_id: machine.id, state: how.state, since: now, unclean, last_holder: null })
    .onConflict((oc) => oc.doNothing())
    .execute()
  await queries
    .insertInto('pool_member')
    .values({
      pool_id: poolId,
      machine_id: machine.id,
      built: how.built ? 1 : 0,
      hypervisor: machine.hypervisor,
      name: machine.name,
    })
    .onConflict((oc) => oc.doNothing())
    .execute()
  await refreshMembers(queries, [machine.id])
}

/** Somebody was let in who had no assignment: what they left is cleared away before anybody gets the desktop. */
export async function markVisited(queries: Queries, machineId: string): Promise<void> {
  const { numUpdatedRows } = await queries
    .updateTable('desktop')
    .set({ unclean: 'stop', fresh: 0 })
    .where('machine_id', '=', machineId)
    .where('state', '=', 'free')
    .where('unclean', 'is', null)
    .executeTakeFirst()
  if (numUpdatedRows > 0n) await refreshMembers(queries, [machineId])
}

/** Takes a machine out of a pool; one that is in no other pool is no desktop any more. */
export async function removeMember(
  queries: Queries,
  poolId: string,
  machineId: string,
): Promise<boolean> {
  const { numDeletedRows } = await queries
    .deleteFrom('pool_member')
    .where('pool_id', '=', poolId)
    .where('machine_id', '=', machineId)
    .executeTakeFirst()
  const left = await queries
    .selectFrom('pool_member')
    .select('pool_id')
    .where('machine_id', '=', machineId)
    .limit(1)
    .executeTakeFirst()
  if (!left) await queries.deleteFrom('desktop').where('machine_id', '=', machineId).execute()
  return numDeletedRows === 1n
}
