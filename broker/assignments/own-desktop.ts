import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import { enterDesktop } from '../pools/store.js'
import type { Store } from '../store/open.js'
import { afterCommit, inTransaction } from '../store/transaction.js'
import type { MachineRow } from '../store/tables.js'

export interface ChangeDeps {
  readonly store: Store
  readonly events: Events
  readonly now: () => number
}

/** The holder wants more time; also a session that was warned goes on from now. */
export async function extendTime(
  { store, events, now: clock }: ChangeDeps,
  machine: { id: string; name: string },
  by: Actor,
): Promise<void> {
  await inTransaction(store, async (tx) => {
    const now = clock()
    const held = await tx
      .selectFrom('assignment')
      .select(['session_at', 'connected'])
      .where('machine_id', '=', machine.id)
      .executeTakeFirst()
    if (!held) throw refusal('nothing_to_extend', { machine: machine.name })
    await tx
      .updateTable('assignment')
      .set({
        extended_at: now,
        idle_since: now,
        warned_for: null,
        stop_at: null,
        ...(held.connected === 1 ? { session_at: now } : {}),
      })
      .where('machine_id', '=', machine.id)
      .execute()
    await recordEvent(tx, by, 'desktop.extend', `machine:${machine.name}`)
    afterCommit(tx, () => {
      events.publish('assignmentChanged', machine.id)
    })
  })
}

/** The disk is recreated from the current generation; what is on it is lost. Also mends a failed desktop. */
export async function orderRebuild(
  { store, events, now: clock }: ChangeDeps,
  machine: Pick<MachineRow, 'id' | 'name' | 'parent_id'>,
  by: Actor,
): Promise<void> {
  if (machine.parent_id === null)
    throw refusal('nothing_to_rebuild_from', { machine: machine.name })
  const change = { unclean: 'rebuild' as const, tries: 0, retry_at: 0 }
  const now = clock()
  await inTransaction(store, async (tx) => {
    const desktop = await tx
      .selectFrom('desktop')
      .select('state')
      .where('machine_id', '=', machine.id)
      .executeTakeFirst()
    if (!desktop) throw refusal('rebuild_needs_pool', { machine: machine.name })
    if (desktop.state === 'assigned') {
      await tx.updateTable('desktop').set(change).where('machine_id', '=', machine.id).execute()
      await tx
        .updateTable('assignment')
        .set({ wanted: 1, idle_since: now })
        .where('machine_id', '=', machine.id)
        .execute()
    } else if (!(await enterDesktop(tx, machine.id, 'cleaning', change, now)))
      throw refusal('desktop_not_to_rebuild', { machine: machine.name, state: desktop.state })
    await recordEvent(tx, by, 'desktop.rebuild', `machine:${machine.name}`, {
      before: desktop.state,
    })
    afterCommit(tx, () => {
      events.publish('assignmentChanged', machine.id)
    })
  })
}
