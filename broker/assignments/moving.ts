import { type Actor, recordEvent } from '../audit/store.js'
import { shownHolder } from '../occupancy/policy.js'
import { uncleanAfter } from '../pools/policy.js'
import { enterDesktop, poolById, type PoolWithPolicy } from '../pools/store.js'
import type { Queries } from '../store/open.js'
import type { AssignmentRow } from '../store/tables.js'
import { afterCommit } from '../store/transaction.js'
import type { EndingDeps } from './ending.js'
import type { Giving } from './giving.js'

/** `because`: what is wrong with the desktop; `failed`: so that nobody else is to get it. */
interface Move {
  readonly machineId: string
  readonly because: string
  readonly failed: boolean
  readonly by: Actor
}

/**
 * Gives whoever has this desktop another one of the pool. False when there is no other: then they
 * keep it. Inside the caller's transaction.
 */
export async function moveHolder(
  deps: EndingDeps,
  giving: Giving,
  tx: Queries,
  { machineId, because, failed, by }: Move,
): Promise<boolean> {
  const held = await tx
    .selectFrom('assignment')
    .selectAll()
    .where('machine_id', '=', machineId)
    .executeTakeFirst()
  const pool = held?.pool_id == null ? null : await poolById(tx, held.pool_id)
  if (!held || !pool) return false
  await tx.deleteFrom('assignment').where('machine_id', '=', machineId).execute()
  const wish = {
    byAdministrator: held.by_administrator === 1,
    fixed: held.fixed === 1,
    moved: true,
  }
  const given = await giving.give(tx, pool, held.holder, by, wish, [machineId])
  if (given === null) {
    await tx.insertInto('assignment').values(held).execute()
    return false
  }
  await leaveBehind(deps, tx, held, pool, failed ? because : null)
  await recordEvent(tx, by, 'desktop.move', `pool:${pool.name}`, {
    holder: shownHolder(held.holder),
    because,
  })
  return true
}

/** What becomes of the desktop that its holder was moved from. `fault`: why it is of no use to others; null: it is. */
async function leaveBehind(
  { events, now }: EndingDeps,
  tx: Queries,
  { machine_id: id, started_at: startedAt, holder }: AssignmentRow,
  { policy }: PoolWithPolicy,
  fault: string | null,
): Promise<void> {
  const change = {
    unclean: startedAt === null ? ('stop' as const) : uncleanAfter(policy.onRelease),
    last_holder: holder,
    tries: 0,
    retry_at: 0,
    ...(fault === null ? {} : { reason: `${fault[0]?.toUpperCase() ?? ''}${fault.slice(1)}.` }),
  }
  const state = fault === null ? 'cleaning' : 'failed'
  await enterDesktop(tx, id, state, change, now(), ['assigned'])
  afterCommit(tx, () => {
    events.publish('assignmentChanged', id)
    events.publish('assignmentEnded', id)
  })
}
