import type { Verb } from '../api/permissions.js'
import type { Pool } from '../api/pools.js'
import type { Store } from '../store/open.js'
import { mapInTurns } from '../turn.js'
import type { Caller } from '../users/caller.js'
import type { Permissions } from '../users/permissions.js'

export interface ViewsDeps {
  readonly store: Store
  readonly permissions: Permissions
}

/** These look after the desktops of others, so they see how the pool stands. */
const SEE_ALL: readonly Verb[] = ['assign', 'admin']

/**
 * Whether somebody sees what a pool or machine is made from, and who has the others. `reader`: they
 * read everything.
 */
export function seesWhole(verbs: ReadonlySet<Verb>, reader: boolean): boolean {
  return reader || SEE_ALL.some((verb) => verbs.has(verb))
}

/**
 * What somebody may know of a pool. `verbs`: what they may do with it; `reader`: they read everything;
 * `machine`: their own desktop of it. Pure.
 */
export function poolFor(
  pool: Pool,
  { verbs, reader, machine }: { verbs: ReadonlySet<Verb>; reader: boolean; machine: string | null },
): Pool {
  const forYou =
    verbs.has('start') && verbs.has('accessConsole')
      ? { state: stateFor(pool, machine), machine }
      : null
  if (seesWhole(verbs, reader)) return { ...pool, whole: true, forYou }
  return {
    ...pool,
    whole: false,
    forYou,
    initial: null,
    counts: { free: pool.counts['free'] ?? 0 },
    generations: [],
    job: null,
  }
}

/** A pool that can still grow makes one for who comes. What they have stays theirs in maintenance. */
function stateFor(pool: Pool, machine: string | null): 'yours' | 'free' | 'full' | 'maintenance' {
  if (machine !== null) return 'yours'
  if (pool.maintenance) return 'maintenance'
  return pool.waiting === 0 && ((pool.counts['free'] ?? 0) > 0 || pool.size < pool.policy.max)
    ? 'free'
    : 'full'
}

/**
 * Pools as this caller may see them. Those that they may not see at all are left as they are: the
 * table of access takes them out.
 */
export async function poolsFor(
  { store, permissions }: ViewsDeps,
  caller: Caller,
  pools: readonly Pool[],
): Promise<Pool[]> {
  const held = await store
    .selectFrom('assignment')
    .innerJoin('machine', 'machine.id', 'assignment.machine_id')
    .innerJoin('pool', 'pool.id', 'assignment.pool_id')
    .select(['pool.name as pool', 'machine.name as machine'])
    .where('holder', '=', `user:${caller.key}`)
    .execute()
  const [only] = pools
  // One pool is asked for by itself; a list must not ask once for each.
  const seen =
    pools.length === 1 && only
      ? new Map([[only.name, await permissions.on(caller, 'pool', only.name)]])
      : await permissions.onAll(caller, 'pool')
  const machines = new Map(held.map((one) => [one.pool, one.machine]))
  return await mapInTurns(pools, (pool) => {
    const verbs = seen.get(pool.name)
    return verbs
      ? poolFor(pool, {
          verbs,
          reader: caller.role !== 'user',
          machine: machines.get(pool.name) ?? null,
        })
      : pool
  })
}
