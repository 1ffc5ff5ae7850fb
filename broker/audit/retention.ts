import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { BERTH, recordEvent } from './store.js'

/** So many rows go in one transaction: a few dozen milliseconds. */
const ROWS_AT_A_TIME = 5_000
const ANCHOR = 'audit-anchor'

/** The last event that was removed by age: the chain of hashes goes on from it. */
export interface Anchor {
  readonly id: number
  readonly hash: string
}

/**
 * Removes the events from before this time (milliseconds since 1970), the oldest first, and gives
 * how many. The chain stays provable: what was removed last is the anchor with which it begins now,
 * and an event of the chain itself names that anchor, so that nobody can cut the log and say that
 * it was old.
 */
export async function pruneEvents(store: Store, before: number): Promise<number> {
  for (let removed = 0; ;) {
    const count = await inTransaction(store, (tx) => pruneSome(tx, before))
    removed += count
    if (count < ROWS_AT_A_TIME) return removed
  }
}

async function pruneSome(tx: Queries, before: number): Promise<number> {
  const old = await tx
    .selectFrom('event')
    .select(['id', 'at', 'hash'])
    .orderBy('id')
    .limit(ROWS_AT_A_TIME)
    .execute()
  // A clock that was set back leaves younger rows among older ones: what stands before the first young one goes.
  const young = old.findIndex(({ at }) => at >= before)
  const going = young === -1 ? old : old.slice(0, young)
  const last = going.at(-1)
  if (!last) return 0
  const anchor: Anchor = { id: last.id, hash: last.hash ?? '' }
  // Before the rows go: it follows the last row that there is.
  await recordEvent(tx, BERTH, 'audit.prune', 'events', { removed: going.length, ...anchor })
  await tx.deleteFrom('event').where('id', '<=', last.id).execute()
  const value = JSON.stringify(anchor)
  await tx
    .insertInto('setting')
    .values({ name: ANCHOR, value })
    .onConflict((oc) => oc.column('name').doUpdateSet({ value }))
    .execute()
  return going.length
}

/** Where the chain begins; null: with the first event that ever was. */
export async function anchorOf(queries: Queries): Promise<Anchor | null> {
  const row = await queries
    .selectFrom('setting')
    .select('value')
    .where('name', '=', ANCHOR)
    .executeTakeFirst()
  return row ? (JSON.parse(row.value) as Anchor) : null
}
