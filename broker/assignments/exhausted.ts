import type { PoolWithPolicy } from '../pools/store.js'
import type { Queries } from '../store/open.js'
import type { AssignmentRow } from '../store/tables.js'
import { expiresAt } from './policy.js'

/** In words: that there is none, who may free one, and when. */
export async function exhausted(
  tx: Queries,
  pool: PoolWithPolicy,
  now: number,
): Promise<{ sentence: string; nextFreeAt: number | null }> {
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
    return {
      sentence: `${pool.name} has no desktops yet. Ask the administrator.`,
      nextFreeAt: null,
    }
  const next = held
    .map((row) => ({ row, at: expiresAt(row, pool.policy) }))
    .filter((one): one is { row: AssignmentRow; at: number } => one.at !== null)
    .sort((a, b) => a.at - b.at)[0]
  const when = next
    ? 'the next may become free ' +
      `at ${new Date(Math.max(next.at, now)).toISOString().slice(0, 16).replace('T', ' ')} ` +
      "UTC, when somebody's time is over"
    : held.length > 0
      ? `one of those who have them may release one`
      : 'those that are left are being made ready, in maintenance, failed, or on a hypervisor that does not answer'
  return {
    sentence: `${pool.name} has no free desktop (${held.length} of ${Number(count)} are assigned): ${when}.`,
    nextFreeAt: next?.at ?? null,
  }
}
