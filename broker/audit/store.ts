import { createHash } from 'node:crypto'
import type { Queries } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { AuditAction } from './actions.js'

/**
 * Who asks: `actor` is an account, a thin client (`thin-client:MAC`) or `berth` itself; `address`
 * is empty for the broker's own doings.
 */
export interface Actor {
  readonly actor: string
  readonly address: string
}

export const BERTH: Actor = { actor: 'berth', address: '' }

/** What the hash of a row covers, besides the hash of the row before it. `detail` is the text as it is stored. */
export interface ChainedRow {
  readonly id: number
  readonly at: number
  readonly actor: string
  readonly address: string
  readonly action: string
  readonly object: string
  readonly result: string
  readonly detail: string
}

/** The hash before the first row. */
export const NO_ROW = '0'.repeat(64)

/**
 * SHA-256, in hex, over the previous hash, a line break, and the row as a JSON array. Anybody can
 * compute it from an export.
 */
export function chainHash(previous: string, row: ChainedRow): string {
  const { id, at, actor, address, action, object, result, detail } = row
  const text = JSON.stringify([id, at, actor, address, action, object, result, detail])
  return createHash('sha256').update(`${previous}\n${text}`).digest('hex')
}

/**
 * Writes one row of the audit log; call it in the transaction that records the wish. `object` is
 * like `machine:pc-01`. `detail` must hold no secret; a change has `before` and `after` in it. The
 * row continues the chain of hashes: transactions follow one another, so none can begin at the same
 * row.
 */
export async function recordEvent(
  queries: Queries,
  by: Actor,
  action: AuditAction,
  object: string,
  detail: unknown = {},
  result = 'ok',
): Promise<void> {
  const row = {
    at: Date.now(),
    actor: by.actor,
    address: by.address,
    action,
    object,
    result,
    detail: JSON.stringify(detail),
  }
  if (queries.isTransaction) await append(queries, row)
  else
    await inTransaction(queries, async (tx) => {
      await append(tx, row)
    })
}

async function append(tx: Queries, row: Omit<ChainedRow, 'id'>): Promise<void> {
  const last = await tx
    .selectFrom('event')
    .select(['id', 'hash'])
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  const next = { id: (last?.id ?? 0) + 1, ...row }
  await tx
    .insertInto('event')
    .values({ ...next, hash: chainHash(last?.hash ?? NO_ROW, next) })
    .execute()
}
