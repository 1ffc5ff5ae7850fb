import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { JobRow } from '../store/tables.js'

/**
 * The number of this broker process, by which a host refuses an older one. All its jobs share it:
 * a host knows only the highest number it has seen, and jobs run side by side. It follows the
 * clock, so that it also grows past a database that was lost or taken back from a backup.
 */
export async function nextFence(store: Store): Promise<number> {
  return await inTransaction(store, async (tx) => {
    const last = await tx
      .selectFrom('setting')
      .select('value')
      .where('name', '=', 'fence')
      .executeTakeFirst()
    const value = String(Math.max(Number(last?.value ?? 0) + 1, Math.floor(Date.now() / 1000)))
    await tx
      .insertInto('setting')
      .values({ name: 'fence', value })
      .onConflict((oc) => oc.column('name').doUpdateSet({ value }))
      .execute()
    return Number(value)
  })
}

/** Jobs that have not ended and that nobody works on: new ones, those of a dead broker, and those given up. */
export async function jobsToTake(
  store: Store,
  owner: string,
  abandoned: readonly string[],
): Promise<JobRow[]> {
  return await store
    .selectFrom('job')
    .selectAll()
    .where('state', 'in', ['queued', 'running', 'cancelling'])
    .where((eb) =>
      eb.or([
        eb('owner', 'is', null),
        eb('owner', '!=', owner),
        eb('id', 'in', ['', ...abandoned]),
      ]),
    )
    .orderBy('created_at')
    .execute()
}
