import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Kysely } from 'kysely'
import { type Test as T } from 'tap'
import { migrate, sqliteBlocks, sqliteMigrations } from '../../../broker/store/migrations.js'
import { FairSqliteDialect } from '../../../broker/store/sqlite-driver.js'
import type { Tables } from '../../../broker/store/tables.js'

export const fileOf = (t: T): string => join(t.testdir({}), 'berth.sqlite')
export const versionOf = (path: string): number => {
  const database = new Database(path)
  const version = Number(database.pragma('user_version', { simple: true }))
  database.close()
  return version
}

/** As a Berth of that version left it: before there was a list of migrations in the file. */
export function oldVersion(path: string, version: number): Database.Database {
  const database = new Database(path)
  database.pragma('foreign_keys = ON')
  for (const block of sqliteBlocks().slice(0, version))
    database.transaction(() => database.exec(block))()
  database.pragma(`user_version = ${version}`)
  return database
}

/** As the first released Berth left it. */
export function firstVersion(path: string): void {
  const database = oldVersion(path, 1)
  database.exec("INSERT INTO setting (name, value) VALUES ('kept', 'yes')")
  database.close()
}

/** Brings a file to the last of these blocks. */
export async function migrated(path: string, blocks: readonly string[]): Promise<void> {
  const database = new Database(path)
  const prepared = { prepare: (text: string) => database.prepare(text), close: () => {} }
  const store = new Kysely<Tables>({
    dialect: new FairSqliteDialect({ database: prepared, raw: database, onWrite: () => {} }),
  })
  try {
    await migrate(store, sqliteMigrations(database, blocks))
  } finally {
    await store.destroy()
    database.close()
  }
}
