import pg from 'pg'
import { BrokerError } from '../errors.js'
import { StoreAway } from './faults.js'

/** "berth" in ASCII: the name of the advisory lock (https://www.postgresql.org/docs/15/explicit-locking.html). */
const LOCK = 0x6265727468

/**
 * Sees to it that one broker at a time works with a database: an advisory lock on a connection of
 * its own. When that connection is lost the lock is taken again before anything else is done, and
 * another broker may have been quicker.
 */
export class StoreLock {
  #client: pg.Client | null = null
  #taking: Promise<void> | null = null
  #isClosed = false

  constructor(readonly settings: pg.ClientConfig) {}

  /** Holds the lock when it returns. Throws StoreAway without a server, BrokerError when another broker has it. */
  async hold(): Promise<void> {
    if (this.#client !== null) return
    this.#taking ??= this.#take().finally(() => {
      this.#taking = null
    })
    await this.#taking
  }

  async release(): Promise<void> {
    this.#isClosed = true
    await this.#taking?.catch(() => undefined)
    const client = this.#client
    this.#client = null
    await client?.end()
  }

  async #take(): Promise<void> {
    if (this.#isClosed) throw new StoreAway(new Error('the database is closed'))
    const client = new pg.Client({ ...this.settings, idle_in_transaction_session_timeout: 0 })
    const lost = (): void => {
      if (this.#client === client) this.#client = null
    }
    client.on('error', lost).on('end', lost)
    try {
      await client.connect()
      const { rows } = await client.query<{ taken: number }>(
        'SELECT pg_try_advisory_lock($1) AS taken',
        [LOCK],
      )
      if (rows[0]?.taken !== 1) throw inUse()
      this.#client = client
    } catch (error) {
      await client.end().catch(() => undefined) // it never came up
      throw error instanceof pg.DatabaseError || error instanceof BrokerError
        ? error
        : new StoreAway(error)
    }
  }
}

function inUse(): BrokerError {
  return new BrokerError(
    'store_busy',
    'Another broker works with this database: stop it first, or give this one a database of its own.',
  )
}
