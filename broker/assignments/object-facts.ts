import type { Queries } from '../store/open.js'
import { nameKey } from '../users/names.js'
import type { AllObjectFacts, ObjectFacts } from '../users/permissions.js'
import type { Facts, Holder } from '../users/verbs.js'

/** What permissions on a pool or machine depend on. */
export function objectFacts(store: Queries): ObjectFacts {
  return async (kind, name) => {
    if (kind === 'pool') {
      const pool = await store
        .selectFrom('pool')
        .select(['id', 'name'])
        .where('name', '=', name)
        .executeTakeFirst()
      return pool ? { ...pool, pools: [], holder: null } : null
    }
    const machine = await store
      .selectFrom('machine')
      .select(['id', 'name'])
      .where('name', '=', name)
      .executeTakeFirst()
    if (!machine) return null
    const [pools, assigned] = await Promise.all([
      store
        .selectFrom('pool_member')
        .select('pool_id')
        .where('machine_id', '=', machine.id)
        .execute(),
      store
        .selectFrom('assignment')
        .select(['pool_id', 'holder', 'by_administrator'])
        .where('machine_id', '=', machine.id)
        .executeTakeFirst(),
    ])
    return {
      ...machine,
      pools: pools.map((pool) => pool.pool_id),
      holder: assigned
        ? holderOf(assigned.holder, assigned.pool_id, assigned.by_administrator)
        : null,
    }
  }
}

/** The same of all at once, in three questions. */
export function allObjectFacts(store: Queries): AllObjectFacts {
  return async (kind) => {
    if (kind === 'pool')
      return (await store.selectFrom('pool').select(['id', 'name']).orderBy('name').execute()).map(
        (pool) => ({ ...pool, pools: [], holder: null }),
      )
    const [machines, members, assigned] = await Promise.all([
      store.selectFrom('machine').select(['id', 'name']).orderBy('name').execute(),
      store.selectFrom('pool_member').select(['machine_id', 'pool_id']).execute(),
      store
        .selectFrom('assignment')
        .select(['machine_id', 'pool_id', 'holder', 'by_administrator'])
        .execute(),
    ])
    const pools = new Map<string, string[]>()
    for (const { machine_id: machine, pool_id: pool } of members)
      pools.set(machine, [...(pools.get(machine) ?? []), pool])
    const holders = new Map(
      assigned.map((row) => [
        row.machine_id,
        holderOf(row.holder, row.pool_id, row.by_administrator),
      ]),
    )
    return machines.map((machine): Facts => ({
      ...machine,
      pools: pools.get(machine.id) ?? [],
      holder: holders.get(machine.id) ?? null,
    }))
  }
}

/** A thin client that holds a machine is no person. */
function holderOf(holder: string, pool: string | null, byAdministrator: 0 | 1): Holder | null {
  return holder.startsWith('user:')
    ? { user: nameKey(holder.slice('user:'.length)), pool, byAdministrator: byAdministrator === 1 }
    : null
}
