import { type Actor, recordEvent } from '../audit/store.js'
import type { AccountRow, DeviceLoginRow, ThinClientRow } from '../store/tables.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'

/**
 * They are logged in here, with the choice that they made where they were; the logins that they had
 * elsewhere, which are given back, end.
 */
export async function recordLogin(
  store: Store,
  device: ThinClientRow,
  account: AccountRow,
  now: number,
): Promise<DeviceLoginRow[]> {
  const by = { actor: account.name, address: device.address }
  return await inTransaction(store, async (tx) => {
    const others = await tx
      .selectFrom('device_login')
      .selectAll()
      .where('account', '=', account.name)
      .where('thin_client_id', '!=', device.id)
      .where('ends', 'is', null)
      .execute()
    await tx
      .updateTable('device_login')
      .set({ ends: 'You have logged in at another thin client.' })
      .where('account', '=', account.name)
      .where('ends', 'is', null)
      .execute()
    const values = {
      account: account.name,
      since: now,
      seen_at: now,
      choice_kind: others[0]?.choice_kind ?? null,
      choice: others[0]?.choice ?? null,
      machine_id: null,
      ticket_at: null,
      ends: null,
    }
    await tx
      .insertInto('device_login')
      .values({ thin_client_id: device.id, ...values })
      .onConflict((oc) => oc.column('thin_client_id').doUpdateSet(values))
      .execute()
    await recordEvent(tx, by, 'thin-client.login', `thin-client:${device.id}`, {
      mac: device.mac,
      ...(others[0] ? { before: others[0].thin_client_id } : {}),
    })
    return others
  })
}

/** Once, whoever ends it. */
export async function recordLogout(
  store: Store,
  row: DeviceLoginRow & { readonly ends: string },
  by: Actor,
): Promise<void> {
  await inTransaction(store, async (tx) => {
    const { numDeletedRows } = await tx
      .deleteFrom('device_login')
      .where('thin_client_id', '=', row.thin_client_id)
      .where('since', '=', row.since)
      .executeTakeFirst()
    if (numDeletedRows === 1n)
      await recordEvent(tx, by, 'thin-client.logout', `thin-client:${row.thin_client_id}`, {
        person: row.account,
        because: row.ends,
      })
  })
}
