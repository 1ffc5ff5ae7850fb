import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { BrokerError, refusal } from '../errors/broker-error.js'
import { StoreAway } from './faults.js'

/** "berth" in ASCII: the name of the advisory lock (https://www.postgresql.org/docs/15/explicit-locking.html). */
const LOCK = 0x6265727468
/** The row of the settings that says who had the lock last. */
const OWNER = 'database-owner'

/**
 * Sees to it that one broker at a time works with a database: an advisory lock on a connection of
 * its own. When that connection is lost the lock is taken again before anything else is begun.
 * Should another broker have been quicker it is lost for good, also when that one has ended again.
 */
export class StoreLock {
  readonly #mark = randomUUID()
  #isMarked = false
  #client: pg.Client | null = null
  #taking: Promise<void> | null = null
  #isClosed = false
  #isLost = false

  constructor(
    readonly settings: pg.ClientConfig,
    readonly onLost: () => void,
  ) {}

  /** Holds the lock when it returns. Throws StoreAway without a server, BrokerError when another broker has it. */
  async hold(): Promise<void> {
    if (this.#isLost) throw inUse()
    if (this.#client !== null) return
    this.#taking ??= this.#take().finally(() => {
      this.#taking = null
    })
    await this.#taking
  }

  /** Writes down who has it, once there is a table for that. */
  async mark(): Promise<void> {
    await this.hold()
    await this.#client?.query(
      'INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2',
      [OWNER, this.#mark],
    )
    this.#isMarked = true
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
    const client = new pg.Client(this.settings)
    const lost = (): void => {
      if (this.#client === client) this.#client = null
    }
    client.on('error', lost).on('end', lost)
    try {
      await client.connect()
      if (!(await this.#isOurs(client))) throw this.#lose()
      this.#client = client
    } catch (error) {
      client.end().catch(() => undefined) // a server that hangs does not answer this either
      throw error instanceof pg.DatabaseError || error instanceof BrokerError
        ? error
        : new StoreAway(error)
    }
  }

  async #isOurs(client: pg.Client): Promise<boolean> {
    const { rows } = await client.query<{ taken: number }>(
      'SELECT pg_try_advisory_lock($1) AS taken',
      [LOCK],
    )
    if (rows[0]?.taken !== 1) return false
    if (!this.#isMarked) return true
    const owners = await client.query<{ value: string }>(
      'SELECT value FROM setting WHERE name = $1',
      [OWNER],
    )
    return owners.rows[0]?.value === this.#mark
  }

  #lose(): BrokerError {
    if (this.#isMarked) {
      this.#isLost = true
      this.onLost()
    }
    return inUse()
  }
}

function inUse(): BrokerError {
  return refusal('store_of_other_broker')
}
