import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
} from 'kysely'
import { type OnWrite, TellingDriver } from './written-tables.js'

/** So long may statements follow one another before sockets and timers get their turn. */
const TURN_MS = 5
/**
 * Another program (a backup, an administrator's shell) may hold the write lock for so long before
 * what waits for it fails.
 */
const BUSY_PATIENCE_MS = 5_000
const BUSY_RETRY_MS = 20

export interface FairDialectConfig extends SqliteDialectConfig {
  readonly database: SqliteDatabase
  /** The database itself: whether it is in a transaction. */
  readonly raw: Pick<Database.Database, 'inTransaction'>
  readonly onWrite: OnWrite
}

/** SQLite for Kysely, with a driver under which nobody starves. */
export class FairSqliteDialect extends SqliteDialect {
  constructor(readonly config: FairDialectConfig) {
    super(config)
  }

  override createDriver(): Driver {
    return new TellingDriver(new FairSqliteDriver(this.config), this.config.onWrite)
  }

  override createAdapter(): SqliteAdapter {
    return new MigratingAdapter()
  }
}

/** All migrations are done or none: SQLite takes back a changed schema, too. */
class MigratingAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

/**
 * One connection, handed on in the order in which it was asked for. Kysely's own mutex wakes all
 * who wait at each release, so 4,000 at once cost 30 times as much. better-sqlite3 answers at once,
 * so a thousand questions would follow one another without a turn of the event loop: the connection
 * is handed on in a later turn whenever the present one has lasted TURN_MS.
 */
class FairSqliteDriver extends SqliteDriver {
  readonly #config: FairDialectConfig
  #connection: PatientConnection | undefined
  #waiting: Array<() => void> = []
  #next = 0
  #isHeld = false
  #turnBegan: number | null = null

  constructor(config: FairDialectConfig) {
    super(config)
    this.#config = config
  }

  override async init(): Promise<void> {
    await super.init()
    this.#connection = new PatientConnection(await super.acquireConnection(), this.#config.raw)
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#isHeld) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#isHeld = true
    await this.#yieldWhenLong()
    if (!this.#connection) throw new Error('the database is not open')
    return this.#connection
  }

  override async releaseConnection(): Promise<void> {
    const next = this.#waiting[this.#next]
    if (!next) {
      this.#isHeld = false
      this.#waiting = []
      this.#next = 0
      return
    }
    this.#next += 1
    if (this.#next === 1_024) {
      this.#waiting = this.#waiting.slice(this.#next)
      this.#next = 0
    }
    next()
  }

  /**
   * Takes the write lock at once: a transaction that reads first and is refused the lock later
   * could only be repeated.
   */
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }

  /**
   * A full disk has rolled back already (https://sqlite.org/lang_transaction.html, "Response To
   * Errors Within A Transaction"); the first error is the one to tell.
   */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#config.raw.inTransaction) await super.rollbackTransaction(connection)
  }

  async #yieldWhenLong(): Promise<void> {
    const now = performance.now()
    if (this.#turnBegan === null) {
      this.#turnBegan = now
      setImmediate(() => {
        this.#turnBegan = null
      })
    } else if (now - this.#turnBegan > TURN_MS) {
      await nextTurn()
    }
  }
}

/** Waits for a lock of another program without stopping the event loop, as SQLite's own busy_timeout would. */
class PatientConnection implements DatabaseConnection {
  #busySince: number | null = null

  constructor(
    readonly inner: DatabaseConnection,
    readonly raw: Pick<Database.Database, 'inTransaction'>,
  ) {}

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    for (;;) {
      try {
        const result = await this.inner.executeQuery<R>(query)
        this.#busySince = null
        return result
      } catch (error) {
        if (!isBusy(error) || this.raw.inTransaction) throw error
        // Counted from the first that found it locked: those behind it in the queue do not wait as
        // long again, each in turn.
        this.#busySince ??= performance.now()
        if (performance.now() - this.#busySince > BUSY_PATIENCE_MS) throw error
        await delay(BUSY_RETRY_MS)
      }
    }
  }

  async *streamQuery<R>(query: CompiledQuery, size: number): AsyncIterableIterator<QueryResult<R>> {
    yield* this.inner.streamQuery<R>(query, size)
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && /^SQLITE_BUSY/.test(error.code)
}
