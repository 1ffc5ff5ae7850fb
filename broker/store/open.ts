import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import {
  type ColumnNode,
  Kysely,
  type KyselyPlugin,
  type RootOperationNode,
  type SqliteDatabase,
  type TableNode,
  type Transaction,
} from 'kysely'
import { BrokerError } from '../errors.js'
import { FairSqliteDialect } from './driver.js'
import type { Tables } from './tables.js'

const MOST_STATEMENTS = 1_000
/**
 * What is noted at each login changes nothing of what somebody may do: whoever waits for changes of
 * the table is not told.
 */
const QUIET_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  account: ['last_login_at'],
  token: ['last_used_at'],
  web_session: ['seen_at'],
}

export type WriteKind = 'insert' | 'update' | 'delete'
export type OnWrite = (table: string, kind: WriteKind) => void

export type Store = Kysely<Tables>
/** Inside `store.transaction()`, or the store itself. */
export type Queries = Store | Transaction<Tables>

/**
 * Opens the database file and brings its schema up to date. `path` may be ':memory:'. WAL with
 * synchronous=FULL: a committed wish survives a power cut
 * (https://sqlite.org/pragma.html#pragma_synchronous). `onWrite` hears the name of the table of
 * every statement that changed a row, maybe before its transaction is committed; nothing is said of
 * statements in plain SQL. Throws when the file is damaged, or was written by a newer Berth.
 */
export function openStore(path: string, onWrite: OnWrite = () => {}): Store {
  const database = new Database(path)
  try {
    prepare(database, path)
    migrate(database, schemaBlocks())
    // From here on the driver waits for locks, and does not stop the event loop for it.
    database.pragma('busy_timeout = 0')
  } catch (error) {
    database.close()
    throw error
  }
  return new Kysely<Tables>({
    dialect: new FairSqliteDialect({
      database: withPreparedStatements(database),
      raw: database,
    }),
    plugins: [tellOfWrites(onWrite)],
  })
}

function tellOfWrites(onWrite: OnWrite): KyselyPlugin {
  const tables = new WeakMap<object, { readonly table: string; readonly kind: WriteKind }>()
  return {
    transformQuery: ({ node, queryId }) => {
      const table = writtenTable(node)
      if (table !== null) tables.set(queryId, { table, kind: kindOf(node) })
      return node
    },
    transformResult: async ({ result, queryId }) => {
      const written = tables.get(queryId)
      // Keepers ask every second whether something is due: a statement that found no row has changed nothing.
      if (written !== undefined && (result.rows.length > 0 || (result.numAffectedRows ?? 0n) > 0n))
        onWrite(written.table, written.kind)
      return result
    },
  }
}

function kindOf({ kind }: RootOperationNode): WriteKind {
  return kind === 'InsertQueryNode' ? 'insert' : kind === 'DeleteQueryNode' ? 'delete' : 'update'
}

function writtenTable(node: RootOperationNode): string | null {
  if (node.kind === 'InsertQueryNode') return node.into?.table.identifier.name ?? null
  const written =
    node.kind === 'UpdateQueryNode'
      ? node.table
      : node.kind === 'DeleteQueryNode'
        ? node.from.froms[0]
        : undefined
  if (written?.kind !== 'TableNode') return null
  const table = (written as TableNode).table.identifier.name
  return isQuiet(node, table) ? null : table
}

function isQuiet(node: RootOperationNode, table: string): boolean {
  const quiet = QUIET_COLUMNS[table]
  if (quiet === undefined || node.kind !== 'UpdateQueryNode') return false
  return (node.updates ?? []).every(
    ({ column }) =>
      column.kind === 'ColumnNode' && quiet.includes((column as ColumnNode).column.name),
  )
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

/**
 * Statements of Kysely come as text each time; the broker has a few hundred different ones, so they
 * are compiled once.
 */
function withPreparedStatements(database: Database.Database): SqliteDatabase {
  const prepared = new Map<string, Database.Statement>()
  return {
    close: () => {
      database.close()
    },
    prepare: (sql) => {
      const known = prepared.get(sql)
      if (known && !known.busy) {
        // Those that are used stay: the first in the map is the one that was not used for the longest time.
        prepared.delete(sql)
        prepared.set(sql, known)
        return known
      }
      const statement = database.prepare(sql)
      // lists of many lengths make many texts
      if (prepared.size >= MOST_STATEMENTS) prepared.delete(prepared.keys().next().value ?? '')
      prepared.set(sql, statement)
      return statement
    },
  }
}

/** The blocks of schema.sql, in order; block N brings a database from version N-1 to N. */
export function schemaBlocks(): string[] {
  const text = readFileSync(fileURLToPath(new URL('./schema.sql', import.meta.url)), 'utf8')
  return text.split(/^-- v \d+$/m).slice(1)
}

/**
 * Brings a database to the version of the last block; each block is one transaction with its
 * version. Throws for a newer database.
 */
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
