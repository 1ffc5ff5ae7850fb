import type { PoolPolicy } from '../api/pool-policy.js'
import { readPool } from '../pools/store.js'
import type { Store } from '../store/open.js'
import type { AssignmentRow } from '../store/tables.js'
import { mapInTurns } from '../turn.js'

/** A desktop that its pool may take back one day. */
export interface Expiring {
  readonly held: AssignmentRow & { readonly name: string; readonly hypervisor: string }
  readonly policy: PoolPolicy
}

/**
 * Every desktop that somebody has through a pool and not for ever, with the policy by which it is
 * taken; in two questions however many there are.
 */
export async function expiring(store: Store): Promise<Expiring[]> {
  const pools = new Map(
    (await store.selectFrom('pool').selectAll().execute()).map((row) => [
      row.id,
      readPool(row).policy,
    ]),
  )
  const rows = await store
    .selectFrom('assignment')
    .innerJoin('machine', 'machine.id', 'assignment.machine_id')
    .selectAll('assignment')
    .select(['machine.name', 'machine.hypervisor'])
    .where('pool_id', 'is not', null)
    .where('fixed', '=', 0)
    .execute()
  const held = await mapInTurns(rows, (row): Expiring[] => {
    const policy = row.pool_id === null ? undefined : pools.get(row.pool_id)
    return policy === undefined ? [] : [{ held: row, policy }]
  })
  return held.flat()
}
