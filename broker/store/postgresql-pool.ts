import type { PostgresPool, PostgresPoolClient } from 'kysely'
import pg from 'pg'
import { mustBeRepeated, StoreAway } from './faults.js'
import type { StoreLock } from './postgresql-lock.js'

/** Transactions see the database as if they were alone; one for which that cannot be is rolled back. */
export const BEGIN = 'begin isolation level serializable'
const COMMIT = 'commit'
const ENDS: readonly string[] = [COMMIT, 'rollback']
const MOST_CONNECTIONS = 8
/**
 * Statements that each connection parses once, from the second time on that they are asked; a list
 * of another length is another text.
 */
const MOST_PREPARED = 500
const MOST_SEEN_ONCE = 2_000
const MOST_VALUES_PREPARED = 40
/** A single statement that met another transaction is tried so often. */
const MOST_TRIES = 5

/**
 * Connections to PostgreSQL for Kysely: what is asked often is prepared, and when the server is
 * away that is said as such.
 */
export class PreparedPool implements PostgresPool {
  readonly #pool: pg.Pool
  readonly #clients = new WeakMap<pg.PoolClient, PreparedClient>()
  readonly #names = new StatementNames()

  constructor(
    settings: pg.ClientConfig,
    readonly lock: StoreLock | null,
  ) {
    this.#pool = new pg.Pool({ ...settings, max: MOST_CONNECTIONS })
    // An idle connection was lost: the next query opens another one, or fails and says why.
    this.#pool.on('error', () => {})
    // One that is in use: its statement fails, which is where that is said.
    this.#pool.on('connect', (client) => client.on('error', () => {}))
  }

  async connect(): Promise<PostgresPoolClient> {
    await this.lock?.hold()
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw error instanceof pg.DatabaseError ? error : new StoreAway(error)
    })
    const known = this.#clients.get(client)
    if (known) return known
    const prepared = new PreparedClient(client, this.#names)
    this.#clients.set(client, prepared)
    return prepared
  }

  async end(): Promise<void> {
    await this.#pool.end()
    await this.lock?.release()
  }
}

class PreparedClient implements PostgresPoolClient {
  // Kysely's other form of it, with a cursor, is for streams: nothing is streamed.
  readonly query = (async (text: string, values: readonly unknown[]) =>
    await this.#tried(text, values)) as unknown as PostgresPoolClient['query']
  #isInTransaction = false
  #isLost = false

  constructor(
    readonly client: pg.PoolClient,
    readonly names: StatementNames,
  ) {}

  /** A connection that owes an answer is not used again. */
  release(): void {
    this.#isInTransaction = false
    this.client.release(this.#isLost)
  }

  async #tried(text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    // Of a transaction only the whole can be repeated, its commit included.
    const isAlone = !this.#isInTransaction && text !== BEGIN
    for (let time = 1; ; time++) {
      try {
        return await this.#ask(text, values)
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) {
          this.#isLost = true
          throw new StoreAway(error, isAlone || text === COMMIT)
        }
        if (!isAlone || !mustBeRepeated(error) || time === MOST_TRIES) throw error
      }
    }
  }

  async #ask(text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    if (text === BEGIN) this.#isInTransaction = true
    if (ENDS.includes(text)) this.#isInTransaction = false
    const name = values.length > MOST_VALUES_PREPARED ? null : this.names.nameOf(text)
    return await this.client.query({ text, values: [...values], ...(name ? { name } : {}) })
  }
}

/** Names of prepared statements, the same for all connections. */
class StatementNames {
  readonly #names = new Map<string, string>()
  readonly #seenOnce = new Set<string>()

  /** Null for what is asked for the first time, and once there are enough. */
  nameOf(text: string): string | null {
    const known = this.#names.get(text)
    if (known !== undefined) return known
    if (this.#names.size >= MOST_PREPARED || text === BEGIN || ENDS.includes(text)) return null
    if (!this.#seenOnce.delete(text)) {
      if (this.#seenOnce.size >= MOST_SEEN_ONCE) this.#seenOnce.clear()
      this.#seenOnce.add(text)
      return null
    }
    const name = `s${this.#names.size}`
    this.#names.set(text, name)
    return name
  }
}
