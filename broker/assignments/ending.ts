import type { Cleaning } from '../api/pools.js'
import { type Actor, recordEvent } from '../audit/store.js'
import type { Events } from '../events/bus.js'
import { shownHolder } from '../occupancy/policy.js'
import { uncleanAfter } from '../pools/policy.js'
import { enterDesktop, type PoolWithPolicy } from '../pools/store.js'
import type { Queries } from '../store/open.js'
import type { AssignmentRow } from '../store/tables.js'
import { afterCommit } from '../store/transaction.js'

/** `now`: of the fair clock. */
export interface EndingDeps {
  readonly events: Events
  readonly now: () => number
}

/** `still`: asked in the transaction whether it is to end after all; its holder may have come back in this moment. */
export interface ReleaseWish {
  readonly force: boolean
  readonly because: string
  readonly how?: Cleaning
  readonly still?: (held: AssignmentRow) => boolean
}

/** Its holder has never come near it. */
export function untouched(held: AssignmentRow): boolean {
  return held.started_at === null && held.connected_at === null && held.ticket_at === null
}

/**
 * Deletes the assignment and says what happens to the desktop before the next person gets it.
 * Inside the caller's transaction.
 */
export async function endAssignment(
  { events, now }: EndingDeps,
  tx: Queries,
  held: AssignmentRow,
  pool: PoolWithPolicy | null,
  by: Actor,
  wish: ReleaseWish,
): Promise<void> {
  const machine = await tx
    .selectFrom('machine')
    .select(['name', 'power', 'parent_id'])
    .where('id', '=', held.machine_id)
    .executeTakeFirstOrThrow()
  await tx.deleteFrom('assignment').where('machine_id', '=', held.machine_id).execute()
  await recordEvent(tx, by, 'desktop.release', `machine:${machine.name}`, {
    pool: pool?.name ?? null,
    holder: shownHolder(held.holder),
    because: wish.because,
  })
  afterCommit(tx, () => {
    events.publish('assignmentChanged', held.machine_id)
    events.publish('assignmentEnded', held.machine_id)
    events.publish('assignmentReleased', wish.because)
    if (held.pool_id !== null) events.publish('poolFreed', held.pool_id)
  })
  if (pool !== null) await leaveDesktop(tx, held, machine, wish.how ?? pool.policy.onRelease, now())
}

/** What nobody has touched is free at once; the rest is cleaned first, or kept for who had it. */
async function leaveDesktop(
  tx: Queries,
  held: AssignmentRow,
  machine: { readonly parent_id: string | null },
  how: Cleaning,
  now: number,
): Promise<void> {
  if (untouched(held))
    return void (await enterDesktop(tx, held.machine_id, 'free', {}, now, ['assigned']))
  const rest = {
    unclean:
      how === 'rebuild' && machine.parent_id === null ? ('stop' as const) : uncleanAfter(how),
    last_holder: held.holder,
    fresh: 0 as const,
    used_at: now,
    tries: 0,
    retry_at: 0,
  }
  await enterDesktop(tx, held.machine_id, how === 'keep' ? 'free' : 'cleaning', rest, now, [
    'assigned',
  ])
}
