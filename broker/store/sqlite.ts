import { LRUCache } from 'lru-cache'
import Database from 'better-sqlite3'
import { Kysely, type SqliteDatabase } from 'kysely'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import { migrate, refuseNewerFile, sqliteMigrations } from './migrations.js'
import type { Store } from './store-types.js'
import { FairSqliteDialect } from './sqlite-driver.js'
import type { Tables } from './tables.js'
import type { OnWrite } from './written-tables.js'

const MOST_STATEMENTS = 1_000

/**
 * Opens a database file (or ':memory:') and brings its schema up to date. WAL with
 * synchronous=FULL: what is committed survives a power cut
 * (https://sqlite.org/pragma.html#pragma_synchronous). Throws when the file is damaged, or was
 * written by a newer Berth.
 */
export async function openSqlite(path: string, onWrite: OnWrite): Promise<Store> {
  const database = new Database(path)
  try {
    prepare(database, path)
    refuseNewerFile(database)
    const store = new Kysely<Tables>({
      dialect: new FairSqliteDialect({
        database: withPreparedStatements(database),
        raw: database,
        onWrite,
      }),
    })
    await migrate(store, sqliteMigrations(database))
    // From here on the driver waits for locks, and does not stop the event loop for it.
    database.pragma('busy_timeout = 0')
    return store
  } catch (error) {
    database.close()
    throw error
  }
}

function prepare(database: Database.Database, path: string): void {
  const damaged = (why: string, cause?: unknown): BrokerError =>
    refusal('database_damaged', { path, said: why }, { cause })
  try {
    for (const pragma of [
      'journal_mode = WAL',
      'synchronous = FULL',
      'foreign_keys = ON',
      'busy_timeout = 5000',
      'trusted_schema = OFF',
    ])
      database.pragma(pragma)
    const check = database.pragma('quick_check(1)', { simple: true })
    if (check !== 'ok') throw damaged(String(check).replace(/\s+/g, ' '))
  } catch (error) {
    // https://sqlite.org/rescode.html#corrupt and #notadb
    if (error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code))
      throw damaged(error.message, error)
    throw error
  }
}

/**
 * Statements of Kysely come as text each time; the broker has a few hundred different ones, so they
 * are compiled once.
 */
function withPreparedStatements(database: Database.Database): SqliteDatabase {
  // Lists of many lengths make many texts.
  const prepared = new LRUCache<string, Database.Statement>({ max: MOST_STATEMENTS })
  return {
    close: () => {
      database.close()
    },
    prepare: (sql) => {
      const known = prepared.get(sql)
      if (known && !known.busy) return known
      const statement = database.prepare(sql)
      prepared.set(sql, statement)
      return statement
    },
  }
}
