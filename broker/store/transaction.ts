import { setTimeout as delay } from 'node:timers/promises'
import pLimit, { type LimitFunction } from 'p-limit'
import type { Transaction } from 'kysely'
import { mustBeRepeated, StoreCrowded } from './faults.js'
import type { Queries, Store } from './store-types.js'
import type { Tables } from './tables.js'

/** A transaction that met another one is tried so often, with a pause of up to RETRY_MS times the try. */
const MOST_TRIES = 8
const RETRY_MS = 10

/** What is done once a transaction is committed. It must not throw. */
export type Effect = () => void

/**
 * Transactions that have waited for so long behind others are given up: one that meets a server that
 * hangs would hold up all, each for as long as it takes to notice.
 */
const MOST_WAIT_MS = 10_000

const effects = new WeakMap<object, Effect[]>()
const queues = new WeakMap<Store, LimitFunction>()

/**
 * Does `work` whole or not at all; what it throws is thrown on. `work` may be done more than once,
 * when the database finds that another transaction was in its way: it has no effect but through
 * `tx`, and leaves the rest to `afterCommit`.
 */
export async function inTransaction<T>(
  store: Store,
  work: (tx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  const queue = queues.get(store)
  if (!queue) return await tried(store, work)
  const since = performance.now()
  return await queue(async () => {
    if (performance.now() - since > MOST_WAIT_MS)
      throw new StoreCrowded('transactions wait for too long')
    return await tried(store, work)
  })
}

/**
 * Lets transactions of this store follow one another, where the database would let them run side by
 * side and have most of them repeated: each continues the chain of the audit log.
 */
export function queueTransactions(store: Store): void {
  queues.set(store, pLimit(1))
}

/**
 * Does this once the transaction is committed, and never when it is rolled back; at once when
 * `queries` is no transaction.
 */
export function afterCommit(queries: Queries, effect: Effect): void {
  const waiting = effects.get(queries)
  if (waiting) waiting.push(effect)
  else effect()
}

/** How many effects wait for the commit. */
export function countEffects(queries: Queries): number {
  return effects.get(queries)?.length ?? 0
}

/** Forgets all but the first `count` effects: what came after them was rolled back. */
export function dropEffects(queries: Queries, count: number): void {
  effects.get(queries)?.splice(count)
}

async function tried<T>(store: Store, work: (tx: Transaction<Tables>) => Promise<T>): Promise<T> {
  for (let time = 1; ; time++) {
    const outcome = await attempt(store, work, time === MOST_TRIES)
    if (outcome) {
      for (const effect of outcome.waiting) effect()
      return outcome.result
    }
    await delay(Math.random() * RETRY_MS * time)
  }
}

/** Null: another transaction was in the way, and it may be repeated. */
async function attempt<T>(
  store: Store,
  work: (tx: Transaction<Tables>) => Promise<T>,
  isLast: boolean,
): Promise<{ result: T; waiting: readonly Effect[] } | null> {
  const waiting: Effect[] = []
  try {
    const result = await store.transaction().execute(async (tx) => {
      effects.set(tx, waiting)
      return await work(tx)
    })
    return { result, waiting }
  } catch (error) {
    if (isLast || !mustBeRepeated(error)) throw error
    return null
  }
}
