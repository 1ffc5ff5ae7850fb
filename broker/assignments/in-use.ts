import type { Occupancy } from '../occupancy/occupancy.js'
import type { Store } from '../store/open.js'
import { reasonInUse } from './policy.js'

export interface InUseDeps {
  readonly store: Store
  readonly observer: { readonly occupancy: Occupancy }
  readonly now: () => number
  readonly releaseAfterMs: number
}

/** Machines in one question; SQLite takes 32,766. */
const AT_ONCE = 500

/**
 * Why these machines count as in use now, by their ids; one that does not is missing. Two questions
 * for some hundreds of them.
 */
export async function reasonsInUse(
  deps: InUseDeps,
  machineIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const reasons = new Map<string, string>()
  for (let from = 0; from < machineIds.length; from += AT_ONCE)
    await readSome(deps, machineIds.slice(from, from + AT_ONCE), reasons)
  return reasons
}

async function readSome(
  { store, observer, now, releaseAfterMs }: InUseDeps,
  ids: readonly string[],
  reasons: Map<string, string>,
): Promise<void> {
  const machines = await store
    .selectFrom('machine')
    .select(['id', 'power'])
    .where('id', 'in', [...ids])
    .execute()
  const rows = await store
    .selectFrom('assignment')
    .selectAll()
    .where('machine_id', 'in', [...ids])
    .execute()
  const held = new Map(rows.map((row) => [row.machine_id, row]))
  for (const { id, power } of machines) {
    const use = observer.occupancy.use(id)
    const reason = reasonInUse(held.get(id) ?? null, use, power, now(), releaseAfterMs)
    if (reason !== null) reasons.set(id, reason)
  }
}
