import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type Database from 'better-sqlite3'
import { type Kysely, type Migration, Migrator, sql } from 'kysely'
import { refusal } from '../errors/broker-error.js'
import type { Store } from './store-types.js'

/** By name, in the order of the names: `014` brings a database from version 13 to 14. */
export type Migrations = Readonly<Record<string, Migration>>

/** The version of the schema with which PostgreSQL begins. */
const FIRST_OF_POSTGRESQL = 14

/** The blocks of sqlite.sql, in order; block N brings a database from version N-1 to N. */
export function sqliteBlocks(): string[] {
  return textOf('sqlite.sql')
    .split(/^-- v \d+$/m)
    .slice(1)
}

/**
 * One for each block. A file that was written before it had a list of migrations has the number of
 * its version in `user_version`, which goes on being kept: an older Berth looks at it.
 */
export function sqliteMigrations(
  database: Database.Database,
  blocks: readonly string[] = sqliteBlocks(),
): Migrations {
  const all = blocks.map((block, index): [string, Migration] => {
    const version = index + 1
    return [
      nameOf(version),
      {
        // On the connection on which Kysely has begun the transaction: there is only one.
        up: async () => {
          if (versionOf(database) >= version) return
          database.exec(block)
          database.pragma(`user_version = ${version}`)
        },
      },
    ]
  })
  return Object.fromEntries(all)
}

/** Throws for a file of a newer Berth. */
export function refuseNewerFile(database: Database.Database): void {
  refuseNewer(versionOf(database), sqliteBlocks().length)
}

export function postgresqlMigrations(): Migrations {
  return {
    [nameOf(FIRST_OF_POSTGRESQL)]: {
      up: async (db: Kysely<unknown>) => {
        await sql.raw(textOf('postgresql.sql')).execute(db)
      },
    },
  }
}

/**
 * Brings a database to the newest schema, in one transaction. Throws for the database of a newer
 * Berth, and what a migration throws; the database is as it was then.
 */
export async function migrate(store: Store, migrations: Migrations): Promise<void> {
  const provider = { getMigrations: async () => ({ ...migrations }) }
  const { error } = await new Migrator({ db: store, provider }).migrateToLatest()
  if (error === undefined) return
  const newer = /previously executed migration (\d+) is missing/.exec(String(error))
  if (newer) refuseNewer(Number(newer[1]), Number(Object.keys(migrations).sort().at(-1)))
  throw error as Error
}

function refuseNewer(version: number, known: number): void {
  if (version > known) throw refusal('schema_newer', { version, known })
}

function versionOf(database: Database.Database): number {
  return Number(database.pragma('user_version', { simple: true }))
}

function nameOf(version: number): string {
  return String(version).padStart(3, '0')
}

function textOf(file: string): string {
  return readFileSync(fileURLToPath(new URL(`./migrations/${file}`, import.meta.url)), 'utf8')
}
