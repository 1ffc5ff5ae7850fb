import type { PoolPatch } from '../api/pools.js'
import type { PoolPolicy } from '../api/pool-policy.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Queries } from '../store/open.js'
import { buildMembers, numbersOf, refuseForeignNames } from './member-jobs.js'
import { changedPolicy, idleSinceAfterChange, missingNumbers, resizedPolicy } from './policy.js'
import { type PoolWithPolicy, requirePool } from './store.js'
import {
  checkedPolicy,
  type Hardware,
  type PoolsDeps,
  refuseDeleting,
  wakeFor,
  type Wished,
} from './wishes.js'

/** Records the change, and orders the members that are missing then. Inside the caller's transaction. */
export async function changePool(
  deps: PoolsDeps,
  tx: Queries,
  name: string,
  patch: PoolPatch,
  by: Actor,
): Promise<Wished> {
  const pool = await requirePool(tx, name)
  refuseDeleting(pool)
  const size = patch.size ?? pool.size
  if (patch.size !== undefined && size > 0) requireGolden(pool)
  const policy = checkedPolicy(
    changedPolicy(resizedPolicy(pool.policy, patch.size), patch.policy ?? {}),
  )
  await tx
    .updateTable('pool')
    .set({
      policy: JSON.stringify(policy),
      size,
      spares: policy.spares,
      needed_at: deps.now(),
      retry_at: 0,
      tries: 0,
    })
    .where('id', '=', pool.id)
    .execute()
  if (policy.retention !== pool.policy.retention)
    await leaveTime(tx, pool.id, policy.retention, deps.now())
  await recordEvent(tx, by, 'pool.change', `pool:${pool.name}`, {
    before: { size: pool.size, ...changedFields(pool.policy, policy) },
    after: { size, ...changedFields(policy, pool.policy) },
    force: patch.force ?? false,
  })
  const missing = size > pool.size ? missingNumbers(size, await numbersOf(tx, pool)) : []
  await refuseForeignNames(tx, pool.name, missing)
  wakeFor(deps, tx, pool.id)
  return {
    id: pool.id,
    job: missing.length === 0 ? null : await buildMembers(deps.jobs, tx, pool, missing, by),
  }
}

/** Throws `invalid_request` where its members could be made from nothing. */
function requireGolden({ name, initial_id: initialId, hardware }: PoolWithPolicy): void {
  if (initialId === null && (JSON.parse(hardware) as Hardware).golden === undefined)
    throw refusal('pool_without_golden', { pool: name })
}

/** Who has a desktop keeps it for a while, also where the new retention has passed already. */
async function leaveTime(
  tx: Queries,
  poolId: string,
  retention: string,
  now: number,
): Promise<void> {
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

/** Of `one`, the fields that differ from `other`. */
function changedFields(one: PoolPolicy, other: PoolPolicy): Partial<PoolPolicy> {
  return Object.fromEntries(
    Object.entries(one).filter(
      ([name, value]) => JSON.stringify(value) !== JSON.stringify(other[name as keyof PoolPolicy]),
    ),
  )
}
