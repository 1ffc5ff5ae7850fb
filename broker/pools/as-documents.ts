import type { Queries } from '../store/open.js'
import { compareNames } from '../natural-order.js'
import { toGrantOn } from '../users/permissions.js'
import type { WantedGrant } from './document-forms.js'

/**
 * By the pool's id: names of the members that it did not build itself, in the order of their
 * numbers. `id`: of this pool only.
 */
export async function membersByHand(
  queries: Queries,
  id?: string,
): Promise<ReadonlyMap<string, string[]>> {
  const rows = await queries
    .selectFrom('pool_member')
    .innerJoin('machine', 'machine.id', 'pool_member.machine_id')
    .select(['pool_id', 'machine.name'])
    .where('built', '=', 0)
    .$if(id !== undefined, (q) => q.where('pool_id', '=', id ?? ''))
    .execute()
  const members = grouped(rows, ({ pool_id: pool, name }) => [pool, name])
  for (const names of members.values()) names.sort(compareNames)
  return members
}

/** By the pool's id: its grants in the form of documents. `id`: of this pool only. */
export async function poolGrants(
  queries: Queries,
  id?: string,
): Promise<ReadonlyMap<string, WantedGrant[]>> {
  const rows = await queries
    .selectFrom('permission_grant')
    .selectAll()
    .where('object_kind', '=', 'pool')
    .$if(id !== undefined, (q) => q.where('object_id', '=', id ?? ''))
    .orderBy('subject_kind')
    .orderBy('subject_key')
    .execute()
  return grouped(rows, (row) => [
    row.object_id,
    { [row.subject_kind]: row.subject, may: [...toGrantOn(row).verbs] },
  ])
}

function grouped<Row, Item>(
  rows: readonly Row[],
  entry: (row: Row) => readonly [key: string, item: Item],
): Map<string, Item[]> {
  const groups = new Map<string, Item[]>()
  for (const row of rows) {
    const [key, item] = entry(row)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}
