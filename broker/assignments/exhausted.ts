import { type BrokerError, refusal } from '../errors/broker-error.js'
import type { PoolWithPolicy } from '../pools/store.js'
import type { Queries } from '../store/open.js'
import type { AssignmentRow } from '../store/tables.js'
import { expiresAt } from './policy.js'

/** Why there is none: who may free one, and when. */
export async function exhausted(
  tx: Queries,
  pool: PoolWithPolicy,
  now: number,
): Promise<{ refused: BrokerError; nextFreeAt: number | null }> {
  const held = await tx
    .selectFrom('assignment')
    .selectAll()
    .where('pool_id', '=', pool.id)
    .orderBy('connected')
    .orderBy('idle_since')
    .limit(50)
    .execute()
  const { count } = await tx
    .selectFrom('pool_member')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('pool_id', '=', pool.id)
    .executeTakeFirstOrThrow()
  if (Number(count) === 0)
    return { refused: refusal('pool_empty', { pool: pool.name }), nextFreeAt: null }
  const next = held
    .map((row) => ({ row, at: expiresAt(row, pool.policy) }))
    .filter((one): one is { row: AssignmentRow; at: number } => one.at !== null)
    .sort((a, b) => a.at - b.at)[0]
  const full = { pool: pool.name, assigned: held.length, count: Number(count) }
  if (next === undefined)
    return {
      refused: refusal(held.length > 0 ? 'pool_full' : 'pool_not_ready', full),
      nextFreeAt: null,
    }
  const at = new Date(Math.max(next.at, now))
  return { refused: refusal('pool_full_until', { ...full, at }), nextFreeAt: next.at }
}
