import { readFileSync } from 'node:fs'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  HandleEmptyInListsPlugin,
  Kysely,
  PostgresAdapter,
  PostgresDialect,
  PostgresDriver,
  type PostgresPool,
  replaceWithNoncontingentExpression,
  sql,
} from 'kysely'
import pg from 'pg'
import { parseIntoClientConfig } from 'pg-connection-string'
import { refusal } from '../errors/broker-error.js'
import { StoreAway } from './faults.js'
import { migrate, postgresqlMigrations } from './migrations.js'
import type { Store, StoreOptions } from './store-types.js'
import { shownPlace } from '../database-place.js'
import { BEGIN, PreparedPool } from './postgresql-pool.js'
import { StoreLock } from './postgresql-lock.js'
import type { Tables } from './tables.js'
import { queueTransactions } from './transaction.js'
import { type OnWrite, TellingDriver } from './written-tables.js'

const CONNECT_MS = 5_000
/** A statement takes milliseconds: what lasts so long has met a lock, */
const STATEMENT_MS = 10_000
/** and what is not even answered, a server that hangs. */
const ANSWER_MS = STATEMENT_MS + 2_000
/** So long may a transaction wait for the broker, which compares large tables when it moves. */
const IDLE_MS = 30 * 60_000
/** https://www.postgresql.org/docs/15/catalog-pg-type.html: OIDs of types that come as other texts than numbers. */
const [BOOL, INT8, NUMERIC] = [16, 20, 1700]

type Options = StoreOptions & { readonly onWrite: OnWrite }

/**
 * Opens a PostgreSQL database and brings its schema up to date. Throws with one sentence when it
 * cannot be reached, is not fit for Berth, or is of a newer Berth or in the hands of another broker.
 */
export async function openPostgresql(url: string, options: Options): Promise<Store> {
  const settings = settingsFor(url, options.passwordFile ?? '')
  const lock =
    options.exclusive === true ? new StoreLock(settings, options.onLost ?? (() => {})) : null
  const store = new Kysely<Tables>({
    dialect: new StoreDialect(new PreparedPool(settings, lock), options.onWrite),
    // PostgreSQL knows no empty list.
    plugins: [new HandleEmptyInListsPlugin({ strategy: replaceWithNoncontingentExpression })],
  })
  try {
    await refuseUnfit(store, url)
    await migrate(store, postgresqlMigrations())
    await lock?.mark()
  } catch (error) {
    await store.destroy()
    throw notOpened(url, error)
  }
  queueTransactions(store)
  return store
}

/** As connectionSettings; throws with one sentence when a file of the URL or the password's cannot be read. */
function settingsFor(url: string, passwordFile: string): pg.ClientConfig {
  try {
    if (passwordFile !== '') readFileSync(passwordFile)
    return connectionSettings(url, passwordFile)
  } catch (error) {
    throw notOpened(url, new StoreAway(error))
  }
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
    query_timeout: ANSWER_MS,
    idle_in_transaction_session_timeout: IDLE_MS,
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

const PLAIN = ['C', 'POSIX']

interface Found {
  readonly encoding: string
  readonly collate: string
  readonly type: string
  /** c: of the C library; i: of ICU, since PostgreSQL 15. */
  readonly provider: string
  readonly number: number
}

/**
 * Texts are compared and sorted by their bytes, and small letters are those of ASCII, as SQLite
 * does it: pages go on where the one before ended.
 */
async function refuseUnfit(store: Store, url: string): Promise<void> {
  const { rows } = await sql<Found>`
    SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS type,
      coalesce(to_jsonb(pg_database) ->> 'datlocprovider', 'c') AS provider,
      current_setting('server_version_num')::INTEGER AS number
    FROM pg_database WHERE datname = current_database()`.execute(store)
  const [found] = rows
  if (!found) return
  const isPlain = [found.collate, found.type].every((locale) => PLAIN.includes(locale))
  if (found.encoding !== 'UTF8' || !isPlain || found.provider !== 'c')
    throw refusal('database_locale', {
      place: shownPlace(url),
      encoding: found.encoding,
      locale: found.provider === 'c' ? found.collate : 'of ICU',
    })
  if (found.number < 130_000)
    throw refusal('database_old', {
      place: shownPlace(url),
      version: Math.floor(found.number / 10_000),
    })
}

/**
 * Why the server may lose what it has confirmed when its power goes; null: it does not. Berth
 * promises that what it has answered is on the disk.
 */
export async function durabilityFault(store: Store): Promise<string | null> {
  if (!(store.getExecutor().adapter instanceof PostgresAdapter)) return null
  const { rows } = await sql<{ name: string }>`
    SELECT name FROM pg_settings
    WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'
    ORDER BY name`.execute(store)
  return rows.length === 0
    ? null
    : `Off on the database server: ${rows.map(({ name }) => name).join(', ')}; ` +
        'what the broker has confirmed can be lost in a power cut.'
}

/** One sentence for the administrator who starts the broker. */
function notOpened(url: string, error: unknown): unknown {
  if (!(error instanceof StoreAway || error instanceof pg.DatabaseError)) return error
  const { message } = error.cause instanceof Error ? error.cause : error
  return refusal('database_not_opened', { place: shownPlace(url), said: message }, { cause: error })
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
