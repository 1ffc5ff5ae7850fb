import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import {
  Kysely,
  type KyselyPlugin,
  type RootOperationNode,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteStatement,
  type TableNode,
  type Transaction,
} from 'kysely'
import { BrokerError } from '../errors.js'
import type { Tables } from './tables.js'

const MOST_STATEMENTS = 1_000

export type Store = Kysely<Tables>
/** Inside `store.transaction()`, or the store itself. */
export type Queries = Store | Transaction<Tables>

/**
 * Opens the database file and brings its schema up to date. `path` may be ':memory:'.
 * WAL with synchronous=FULL: a committed wish survives a power cut (https://sqlite.org/pragma.html#pragma_synchronous).
 * `onWrite` hears the name of the table of every statement that changed a row, maybe before its transaction is committed; nothing is said of statements in plain SQL.
 * Throws when the file is damaged, or was written by a newer Berth.
 */
export function openStore(path: string, onWrite: (table: string) => void = () => {}): Store {
  const database = new Database(path)
  try {
    prepare(database, path)
    migrate(database, schemaBlocks())
  } catch (error) {
    database.close()
    throw error
  }
  return new Kysely<Tables>({
    dialect: new SqliteDialect({ database: withPreparedStatements(database) }),
    plugins: [tellOfWrites(onWrite)],
  })
}

function tellOfWrites(onWrite: (table: string) => void): KyselyPlugin {
  const tables = new WeakMap<object, string>()
  return {
    transformQuery: ({ node, queryId }) => {
      const table = writtenTable(node)
      if (table !== null) tables.set(queryId, table)
      return node
    },
    transformResult: async ({ result, queryId }) => {
      const table = tables.get(queryId)
      // Keepers ask every second whether something is due: a statement that found no row has changed nothing.
      if (table !== undefined && (result.rows.length > 0 || (result.numAffectedRows ?? 0n) > 0n))
        onWrite(table)
      return result
    },
  }
}

function writtenTable(node: RootOperationNode): string | null {
  if (node.kind === 'InsertQueryNode') return node.into?.table.identifier.name ?? null
  const written =
    node.kind === 'UpdateQueryNode'
      ? node.table
      : node.kind === 'DeleteQueryNode'
        ? node.from.froms[0]
        : undefined
  return written?.kind === 'TableNode' ? (written as TableNode).table.identifier.name : null
}

function prepare(database: Database.Database, path: string): void {
  const damaged = (why: string, cause?: unknown): BrokerError =>
    new BrokerError(
      'internal',
      `The database ${path} is damaged (${why}): restore it from a backup.`,
      { cause },
    )
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

/** Statements of Kysely come as text each time; the broker has a few hundred different ones, so they are compiled once. */
function withPreparedStatements(database: Database.Database): SqliteDatabase {
  const prepared = new Map<string, Database.Statement>()
  return {
    close: () => {
      database.close()
    },
    prepare: (sql) => {
      const known = prepared.get(sql)
      if (known && !known.busy) return known as unknown as SqliteStatement
      const statement = database.prepare(sql)
      if (prepared.size >= MOST_STATEMENTS) prepared.delete(prepared.keys().next().value ?? '') // the oldest: lists of many lengths make many texts
      prepared.set(sql, statement)
      return statement as unknown as SqliteStatement
    },
  }
}

/** The blocks of schema.sql, in order; block N brings a database from version N-1 to N. */
export function schemaBlocks(): string[] {
  const text = readFileSync(fileURLToPath(new URL('./schema.sql', import.meta.url)), 'utf8')
  return text.split(/^-- v \d+$/m).slice(1)
}

/** Brings a database to the version of the last block; each block is one transaction with its version. Throws for a newer database. */
export function migrate(database: Database.Database, blocks: readonly string[]): void {
  const version = Number(database.pragma('user_version', { simple: true }))
  if (version > blocks.length) {
    throw new BrokerError(
      'internal',
      `The database has schema version ${version}, this Berth knows ${blocks.length}: start the newer Berth.`,
    )
  }
  blocks.slice(version).forEach((block, index) => {
    database
      .transaction(() => {
        database.exec(block)
        database.pragma(`user_version = ${version + index + 1}`)
      })
      .immediate()
  })
}
