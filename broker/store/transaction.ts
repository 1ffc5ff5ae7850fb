import type { Transaction } from 'kysely'
import type { Store } from './open.js'
import type { Tables } from './tables.js'

/** Does `work` whole or not at all; what it throws is thrown on. */
export async function inTransaction<T>(
  store: Store,
  work: (tx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  return await store.transaction().execute(work)
}
