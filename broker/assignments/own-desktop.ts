import { type Actor, recordEvent } from '../audit/store.js'
import { BrokerError } from '../errors.js'
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
    if (!held)
      throw new BrokerError('not_found', `Nobody has ${machine.name}: there is nothing to extend.`)
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
    throw new BrokerError(
      'wrong_type',
      `${machine.name} is made from no initial machine: there is nothing to rebuild it from.`,
    )
  const change = { unclean: 'rebuild' as const, tries: 0, retry_at: 0 }
  const now = clock()
  await inTransaction(store, async (tx) => {
    const desktop = await tx
      .selectFrom('desktop')
      .select('state')
      .where('machine_id', '=', machine.id)
      .executeTakeFirst()
    if (!desktop)
      throw new BrokerError(
        'wrong_type',
        `${machine.name} is in no pool: populate its initial machine to renew it.`,
      )
    if (desktop.state === 'assigned') {
      await tx.updateTable('desktop').set(change).where('machine_id', '=', machine.id).execute()
      await tx
        .updateTable('assignment')
        .set({ wanted: 1, idle_since: now })
        .where('machine_id', '=', machine.id)
        .execute()
    } else if (!(await enterDesktop(tx, machine.id, 'cleaning', change, now)))
      throw new BrokerError(
        'busy',
        `${machine.name} is ${desktop.state}: try again when that has ended.`,
      )
    await recordEvent(tx, by, 'desktop.rebuild', `machine:${machine.name}`, {
      before: desktop.state,
    })
    afterCommit(tx, () => {
      events.publish('assignmentChanged', machine.id)
    })
  })
}
