import { isPostgresql } from '../database-place.js'
import { openPostgresql } from './postgresql.js'
import { openSqlite } from './sqlite.js'
import type { Store, StoreOptions } from './store-types.js'

export type { Queries, Store, StoreOptions } from './store-types.js'

/**
 * Opens the database and brings its schema up to date. `where`: the path of an SQLite file,
 * ':memory:', or the postgresql:// URL of a database. Throws when it is damaged, was written by a
 * newer Berth, or cannot be reached.
 */
export async function openStore(where: string, options: StoreOptions = {}): Promise<Store> {
  const { onWrite = () => {} } = options
  return isPostgresql(where)
    ? await openPostgresql(where, { ...options, onWrite })
    : await openSqlite(where, onWrite)
}
