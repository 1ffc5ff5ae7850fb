import { refusal } from '../errors/broker-error.js'
import type { Usage } from '../occupancy/usage.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'

export interface NamedDeps {
  readonly store: Store
  readonly usage: Usage
  readonly now: () => number
}

/**
 * A thin client, or a person who sits at one, that has this machine by name: claims it in one
 * transaction, and counts it as just handed out from then on. Throws `busy` while another one
 * uses it or while a job makes it ready, `assigned` while it is somebody's through a pool.
 */
export async function claimNamed(
  { store, usage, now: clock }: NamedDeps,
  machineId: string,
  holder: string,
): Promise<void> {
  const held = await store
    .selectFrom('assignment')
    .select(['holder', 'ticket_at', 'pool_id', 'fixed'])
    .where('machine_id', '=', machineId)
    .executeTakeFirst()
  const mine = held?.holder === holder
  const reason = held === undefined || mine ? null : await usage.reason(machineId)
  if (reason !== null) throw refusal('named_in_use', { why: reason })
  const now = clock()
  await inTransaction(store, async (tx) => {
    await refusePooledOrBusy(tx, machineId)
    if (mine)
      await tx
        .updateTable('assignment')
        .set({ ticket_at: now, idle_since: now })
        .where('machine_id', '=', machineId)
        .where('holder', '=', holder)
        .execute()
    else await takeNamed(tx, machineId, holder, held, now)
  })
}

async function refusePooledOrBusy(tx: Queries, machineId: string): Promise<void> {
  const member = await tx
    .selectFrom('pool_member')
    .innerJoin('pool', 'pool.id', 'pool_member.pool_id')
    .select('pool.name')
    .where('machine_id', '=', machineId)
    .limit(1)
    .executeTakeFirst()
  if (member) throw refusal('machine_is_pooled', { pool: member.name })
  const job = await tx
    .selectFrom('job_lock')
    .innerJoin('job', 'job.id', 'job_lock.job_id')
    .select(['job.id', 'job.kind'])
    .where('job_lock.machine_id', '=', machineId)
    .where('job.kind', '!=', 'power')
    .executeTakeFirst()
  if (job) throw refusal('named_made_ready', { job: job.id, kind: job.kind })
}

async function takeNamed(
  tx: Queries,
  machineId: string,
  holder: string,
  held: { holder: string; ticket_at: number | null } | undefined,
  now: number,
): Promise<void> {
  if (held) {
    const { numDeletedRows } = await tx
      .deleteFrom('assignment')
      .where('machine_id', '=', machineId)
      .where('holder', '=', held.holder)
      .where((eb) =>
        held.ticket_at === null
          ? eb('ticket_at', 'is', null)
          : eb('ticket_at', '=', held.ticket_at),
      )
      .executeTakeFirst()
    if (numDeletedRows !== 1n) throw refusal('named_taken')
  }
  const values = {
    machine_id: machineId,
    pool_id: null,
    holder,
    assigned_at: now,
    started_at: null,
    ticket_at: now,
    connected_at: null,
    disconnected_at: null,
    extended_at: null,
    session_at: null,
    idle_since: now,
    warned_for: null,
  }
  const inserted = await tx
    .insertInto('assignment')
    .values(values)
    .onConflict((oc) => oc.doNothing())
    .executeTakeFirst()
  if (inserted.numInsertedOrUpdatedRows !== 1n) throw refusal('named_taken')
}
