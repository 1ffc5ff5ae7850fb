import type { Cleaning } from '../api/pool-policy.js'
import { type Actor, BERTH } from '../audit/store.js'
import { BrokerError, refusal } from '../errors/broker-error.js'
import { someOf } from '../errors/sentence.js'
import { shownHolder } from '../occupancy/policy.js'
import { requirePool } from '../pools/store.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { Claims } from './claims.js'

export interface MassReleaseDeps {
  readonly store: Store
  readonly claims: Claims
}

/** Everything that a holder has, as when an account or a device is removed. */
export async function releaseAllOf(
  { store, claims }: MassReleaseDeps,
  holder: string,
  because: string,
  by: Actor,
): Promise<void> {
  const held = await store
    .selectFrom('assignment')
    .innerJoin('machine', 'machine.id', 'assignment.machine_id')
    .select(['machine.id', 'machine.name'])
    .where('holder', '=', holder)
    .execute()
  await inTransaction(store, async (tx) => {
    await tx.deleteFrom('waiter').where('holder', '=', holder).execute()
    await tx
      .updateTable('desktop')
      .set({ last_holder: null })
      .where('last_holder', '=', holder)
      .execute()
  })
  await releaseEach(claims, held, by, because)
}

/** Throws `assigned` while somebody has a desktop of the pool; with force the deletion releases them. */
export async function refuseAssigned(
  store: Store,
  poolName: string,
  force: boolean,
): Promise<void> {
  const pool = await requirePool(store, poolName)
  const held = await store
    .selectFrom('assignment')
    .innerJoin('machine', 'machine.id', 'assignment.machine_id')
    .select(['assignment.holder', 'machine.name'])
    .where('pool_id', '=', pool.id)
    .limit(6)
    .execute()
  if (held.length > 0 && !force)
    throw refusal('pool_assigned', {
      pool: pool.name,
      desktops: someOf(held.map((row) => `${row.name} (${shownHolder(row.holder)})`)),
    })
}

/** For a deletion: every assignment of the pool ends. */
export async function releaseAllOfPool(deps: MassReleaseDeps, poolId: string): Promise<void> {
  await releaseSome(deps, poolId, Infinity, 'its pool is deleted', BERTH, 'keep')
}

/** For a forced shrinking: as many as the pool is too large by, the longest unused first. */
export async function releaseExcess(
  deps: MassReleaseDeps,
  poolName: string,
  by: Actor,
): Promise<void> {
  const pool = await requirePool(deps.store, poolName)
  const states = await deps.store
    .selectFrom('pool_member')
    .innerJoin('desktop', 'desktop.machine_id', 'pool_member.machine_id')
    .select('desktop.state')
    .where('pool_id', '=', pool.id)
    .where('built', '=', 1)
    .execute()
  const easy = states.filter((row) => row.state !== 'assigned').length
  await releaseSome(
    deps,
    pool.id,
    Math.max(0, states.length - pool.size - easy),
    'its pool was made smaller',
    by,
  )
}

async function releaseSome(
  { store, claims }: MassReleaseDeps,
  poolId: string,
  most: number,
  because: string,
  by: Actor,
  how?: Cleaning,
): Promise<void> {
  const held = await store
    .selectFrom('assignment')
    .innerJoin('machine', 'machine.id', 'assignment.machine_id')
    .select(['machine.id', 'machine.name'])
    .where('pool_id', '=', poolId)
    .orderBy('connected')
    .orderBy('idle_since')
    .execute()
  await releaseEach(claims, held.slice(0, most), by, because, how)
}

/** What was released meanwhile is what was wished. */
async function releaseEach(
  claims: Claims,
  machines: ReadonlyArray<{ readonly id: string; readonly name: string }>,
  by: Actor,
  because: string,
  how?: Cleaning,
): Promise<void> {
  for (const machine of machines)
    await claims
      .release(machine, by, { force: true, because, ...(how === undefined ? {} : { how }) })
      .catch((error: unknown) => {
        if (!(error instanceof BrokerError && error.code === 'not_found')) throw error
      })
}
