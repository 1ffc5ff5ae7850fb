import { readFileSync } from 'node:fs'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  HandleEmptyInListsPlugin,
  Kysely,
  PostgresDialect,
  PostgresDriver,
  type PostgresPool,
  replaceWithNoncontingentExpression,
  sql,
} from 'kysely'
import pg from 'pg'
import { parseIntoClientConfig } from 'pg-connection-string'
import { BrokerError } from '../errors.js'
import { StoreAway } from './faults.js'
import { migrate, postgresqlMigrations } from './migrations.js'
import type { Store, StoreOptions } from './open.js'
import { shownPlace } from './place.js'
import { BEGIN, PreparedPool } from './postgresql-pool.js'
import { StoreLock } from './postgresql-lock.js'
import type { Tables } from './tables.js'
import { queueTransactions } from './transaction.js'
import { type OnWrite, TellingDriver } from './written-tables.js'

const CONNECT_MS = 5_000
/** A statement takes milliseconds: what lasts so long has met a lock, or a server that hangs. */
const STATEMENT_MS = 30_000
/** https://www.postgresql.org/docs/15/catalog-pg-type.html: OIDs of types that come as other texts than numbers. */
const [BOOL, INT8, NUMERIC] = [16, 20, 1700]

type Options = StoreOptions & { readonly onWrite: OnWrite }

/**
 * Opens a PostgreSQL database and brings its schema up to date. Throws with one sentence when it
 * cannot be reached, is not fit for Berth, or is of a newer Berth or in the hands of another broker.
 */
export async function openPostgresql(url: string, options: Options): Promise<Store> {
  const settings = connectionSettings(url, options.passwordFile ?? '')
  const lock = options.exclusive === true ? new StoreLock(settings) : null
  const store = new Kysely<Tables>({
    dialect: new StoreDialect(new PreparedPool(settings, lock), options.onWrite),
    // PostgreSQL knows no empty list.
    plugins: [new HandleEmptyInListsPlugin({ strategy: replaceWithNoncontingentExpression })],
  })
  try {
    await refuseUnfit(store, url)
    await migrate(store, postgresqlMigrations())
  } catch (error) {
    await store.destroy()
    throw notOpened(url, error)
  }
  queueTransactions(store)
  return store
}

function connectionSettings(url: string, passwordFile: string): pg.ClientConfig {
  return {
    ...parseIntoClientConfig(url),
    ...(passwordFile === ''
      ? {}
      : { password: () => readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '') }),
    application_name: 'berth-broker',
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    idle_in_transaction_session_timeout: 2 * STATEMENT_MS,
    keepAlive: true,
    types: { getTypeParser },
  }
}

/** Numbers and flags as SQLite gives them. */
const getTypeParser: pg.CustomTypesConfig['getTypeParser'] = (type, format) => {
  const number: number = type
  if (number === INT8 || number === NUMERIC) return Number
  if (number === BOOL) return (text: string) => (text === 't' ? 1 : 0)
  return pg.types.getTypeParser(type, format) as (text: string) => unknown
}

/**
 * Texts are compared and sorted by their bytes, and small letters are those of ASCII, as SQLite
 * does it: pages go on where the one before ended.
 */
async function refuseUnfit(store: Store, url: string): Promise<void> {
  const { rows } = await sql<{ encoding: string; collate: string; type: string; number: number }>`
    SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS type,
      current_setting('server_version_num')::INTEGER AS number
    FROM pg_database WHERE datname = current_database()`.execute(store)
  const [found] = rows
  if (!found) return
  const isFit = found.encoding === 'UTF8' && [found.collate, found.type].every(isPlain)
  if (!isFit)
    throw new BrokerError(
      'internal',
      `The database ${shownPlace(url)} has encoding ${found.encoding} and locale ${found.collate}: ` +
        "create it with ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0.",
    )
  if (found.number < 130_000)
    throw new BrokerError(
      'internal',
      `The database ${shownPlace(url)} is on PostgreSQL ${Math.floor(found.number / 10_000)}: use 13 or newer.`,
    )
}

function isPlain(locale: string): boolean {
  return locale === 'C' || locale === 'POSIX'
}

/** One sentence for whoever starts the broker. */
function notOpened(url: string, error: unknown): unknown {
  if (!(error instanceof StoreAway || error instanceof pg.DatabaseError)) return error
  const { message } = error.cause instanceof Error ? error.cause : error
  return new BrokerError(
    'internal',
    `The database ${shownPlace(url)} cannot be used (${message}): ` +
      'see to the server, or correct "store" in the settings.',
    { cause: error },
  )
}

class StoreDialect extends PostgresDialect {
  constructor(
    readonly pool: PostgresPool,
    readonly onWrite: OnWrite,
  ) {
    super({ pool })
  }

  override createDriver(): Driver {
    return new TellingDriver(new SerializableDriver({ pool: this.pool }), this.onWrite)
  }
}

class SerializableDriver extends PostgresDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(BEGIN))
  }

  /** A connection that was lost has rolled back already; the first error is the one to tell. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await super.rollbackTransaction(connection)
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error
    }
  }
}
