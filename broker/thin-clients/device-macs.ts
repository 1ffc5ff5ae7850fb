import { recordEvent } from '../audit/store.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { ThinClientRow } from '../store/tables.js'
import type { Caller } from './askers.js'
import { normalMac } from './clients-entry.js'

export interface DeviceMac {
  readonly mac: string
  /** It was there at first contact, or an administrator has accepted it: clients.xml may mean the device by it. */
  readonly believed: boolean
}

/** A laptop meets a few docks in its life; who says more is not believed to be one. */
const MOST_MACS = 32

export async function macsOf(queries: Queries, deviceId: string): Promise<DeviceMac[]> {
  const rows = await queries
    .selectFrom('thin_client_mac')
    .select(['mac', 'believed'])
    .where('thin_client_id', '=', deviceId)
    .orderBy('first_seen')
    .orderBy('mac')
    .execute()
  return rows.map(({ mac, believed }) => ({ mac, believed: believed === 1 }))
}

/** Of all devices, by their ids. */
export async function allMacs(queries: Queries): Promise<ReadonlyMap<string, DeviceMac[]>> {
  const rows = await queries
    .selectFrom('thin_client_mac')
    .select(['thin_client_id', 'mac', 'believed'])
    .orderBy('first_seen')
    .orderBy('mac')
    .execute()
  const all = new Map<string, DeviceMac[]>()
  for (const { thin_client_id: id, mac, believed } of rows) {
    const one = { mac, believed: believed === 1 }
    const known = all.get(id)
    if (known) known.push(one)
    else all.set(id, [one])
  }
  return all
}

/**
 * The MACs by which clients.xml may mean the device, those that it shows now first: a device whose
 * dock has changed is the same device.
 */
export function believedMacs(macs: readonly DeviceMac[], shown: readonly string[]): string[] {
  const believed = macs.filter((one) => one.believed).map(({ mac }) => mac)
  return [
    ...believed.filter((mac) => shown.includes(mac)),
    ...believed.filter((mac) => !shown.includes(mac)),
  ]
}

/**
 * What the device says of itself now is believed from now on, except what another accepted device
 * is already known by. Call it when somebody vouches for that: the network of its first contact, or
 * (`all`) an administrator, who may also believe what others say too.
 */
export async function believe(
  tx: Queries,
  device: Pick<ThinClientRow, 'id'>,
  said: Pick<Caller, 'macs' | 'hostname'>,
  now: number,
  all = false,
): Promise<void> {
  const others = all
    ? []
    : await tx
        .selectFrom('thin_client_mac')
        .innerJoin('thin_client', 'thin_client.id', 'thin_client_mac.thin_client_id')
        .select('thin_client_mac.mac')
        .where('thin_client_mac.mac', 'in', [...said.macs])
        .where('believed', '=', 1)
        .where('accepted', '=', 1)
        .where('thin_client.id', '!=', device.id)
        .execute()
  for (const mac of said.macs) {
    const believed = others.some((row) => row.mac === mac) ? 0 : 1
    await tx
      .insertInto('thin_client_mac')
      .values({ thin_client_id: device.id, mac, believed, first_seen: now })
      .onConflict((oc) => oc.columns(['thin_client_id', 'mac']).doUpdateSet({ believed }))
      .execute()
  }
  const hostname = said.hostname.toLowerCase()
  const namesake =
    all || hostname === ''
      ? undefined
      : await tx
          .selectFrom('thin_client')
          .select('id')
          .where('believed_hostname', '=', hostname)
          .where('accepted', '=', 1)
          .where('id', '!=', device.id)
          .executeTakeFirst()
  await tx
    .updateTable('thin_client')
    .set({ believed_hostname: namesake ? '' : hostname })
    .where('id', '=', device.id)
    .execute()
}

/**
 * Notes MACs that the device has not had before; they change nothing until an administrator accepts
 * them. Gives all.
 */
export async function noteMacs(
  store: Store,
  device: ThinClientRow,
  caller: Caller,
  now: number,
): Promise<DeviceMac[]> {
  const known = await macsOf(store, device.id)
  const fresh = caller.macs
    .filter((mac) => !known.some((one) => one.mac === mac))
    .slice(0, Math.max(0, MOST_MACS - known.length))
  if (fresh.length === 0) return known
  await inTransaction(store, async (tx) => {
    for (const mac of fresh)
      await tx
        .insertInto('thin_client_mac')
        .values({ thin_client_id: device.id, mac, believed: 0, first_seen: now })
        .onConflict((oc) => oc.doNothing())
        .execute()
    await recordEvent(
      tx,
      { actor: `thin-client:${device.mac}`, address: caller.address },
      'thin-client.macs',
      `thin-client:${device.id}`,
      { before: known.map(({ mac }) => mac), after: [...known.map(({ mac }) => mac), ...fresh] },
    )
  })
  return [...known, ...fresh.map((mac) => ({ mac, believed: false }))]
}

export function normalMacs(macs: readonly string[]): string[] {
  return [...new Set(macs.map(normalMac))]
}
