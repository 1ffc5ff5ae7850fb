import { setImmediate as nextTurn } from 'node:timers/promises'
import { sql } from 'kysely'
import { Turn } from '../turn.js'
import { mustBeRepeated } from './faults.js'
import type { Queries, Store } from './store-types.js'
import { countEffects, dropEffects, inTransaction } from './transaction.js'

/** So many share a commit, for so long as others can wait for the connection. */
const MOST_AT_ONCE = 32

interface Write {
  readonly work: (tx: Queries) => Promise<unknown>
  readonly done: (value: unknown) => void
  readonly failed: (error: unknown) => void
}

/**
 * Small writes that come in crowds, such as the first contacts after a power cut: those that wait
 * at one moment share a transaction, and so the wait for the disk. Each is done when it is on the
 * disk, and one that fails takes back only what it did itself.
 */
export class GroupedWrites {
  #waiting: Write[] = []
  #isAtWork = false

  constructor(readonly store: Store) {}

  /** As `inTransaction`. */
  async write<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    return (await new Promise<unknown>((done, failed) => {
      this.#waiting.push({ work, done, failed })
      if (!this.#isAtWork) this.#drain().catch(failed)
    })) as T
  }

  async #drain(): Promise<void> {
    this.#isAtWork = true
    try {
      while (this.#waiting.length > 0) {
        // While the disk was waited for, others have come: they are read first, and share the next commit.
        await nextTurn()
        await this.#commit(this.#waiting.splice(0, MOST_AT_ONCE))
      }
    } finally {
      this.#isAtWork = false
    }
  }

  async #commit(writes: readonly Write[]): Promise<void> {
    const [only] = writes
    if (only && writes.length === 1) {
      await inTransaction(this.store, only.work).then(only.done, only.failed)
      return
    }
    try {
      const outcomes = await inTransaction(this.store, async (tx) => await together(tx, writes))
      for (const tell of outcomes) tell()
    } catch (error) {
      for (const { failed } of writes) failed(error)
    }
  }
}

/** Gives what is to be told after the commit. */
async function together(tx: Queries, writes: readonly Write[]): Promise<Array<() => void>> {
  const outcomes: Array<() => void> = []
  const turn = new Turn()
  for (const write of writes) {
    outcomes.push(await attempt(tx, write))
    await turn.passed()
  }
  return outcomes
}

/** Gives what is to be told of it after the commit. */
async function attempt(tx: Queries, { work, done, failed }: Write): Promise<() => void> {
  const effects = countEffects(tx)
  await sql`SAVEPOINT one_write`.execute(tx)
  try {
    const value = await work(tx)
    await sql`RELEASE SAVEPOINT one_write`.execute(tx)
    return () => {
      done(value)
    }
  } catch (error) {
    if (mustBeRepeated(error)) throw error // All that share the transaction are repeated.
    try {
      await sql`ROLLBACK TO SAVEPOINT one_write`.execute(tx)
      await sql`RELEASE SAVEPOINT one_write`.execute(tx)
    } catch {
      throw error // A full disk has rolled back everything already: all fail, and hear why.
    }
    dropEffects(tx, effects)
    return () => {
      failed(error)
    }
  }
}
