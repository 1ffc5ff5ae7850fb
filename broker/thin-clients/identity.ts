import { createHash, randomBytes, randomUUID } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { recordEvent } from '../audit/store.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import { normalMac } from './clients-xml.js'

export interface Caller {
  readonly macs: readonly string[]
  readonly key: string | null
  readonly address: string
  readonly hostname: string
  readonly version: string
}

/** known: it has shown its key, or was given one now. Otherwise the sentence says why not. */
export type Identity =
  | { readonly known: true; readonly device: ThinClientRow; readonly newKey: string | null }
  | { readonly known: false; readonly device: ThinClientRow | null; readonly sentence: string }

export type Networks = ReadonlyArray<[ipaddr.IPv4 | ipaddr.IPv6, number]>

/** So many devices that nobody has accepted are remembered; more come from a flood, not from desks. */
const MOST_UNKNOWN = 2_000

/**
 * Who is this device? A MAC is a label that anybody can write on himself: at first contact, from a configured network, it gets a key, and from then on the
 * key counts. A second device with that MAC, or a known one without its key, stays unknown until the administrator accepts it.
 */
export async function identify(
  store: Store,
  networks: Networks,
  caller: Caller,
): Promise<Identity> {
  const macs = caller.macs.map(normalMac)
  if (caller.key !== null) {
    const device = await store
      .selectFrom('thin_client')
      .selectAll()
      .where('key_hash', '=', keyHash(caller.key))
      .executeTakeFirst()
    if (device && macs.includes(device.mac)) return { known: true, device, newKey: null }
    if (device)
      return {
        known: false,
        device: null,
        sentence: `This device shows the key of another one (${device.mac}). Ask the administrator.`,
      }
  }
  const device = await store
    .selectFrom('thin_client')
    .selectAll()
    .where('mac', 'in', macs)
    .orderBy('first_seen')
    .executeTakeFirst()
  if (!device) return await firstContact(store, networks, caller, macs[0] ?? '')
  if (device.key_hash === null && device.accepted === 1) return await giveKey(store, device, caller)
  if (device.accepted === 0)
    return {
      known: false,
      device,
      sentence: `This device (${device.mac}) is not accepted yet. Ask the administrator to run "berth thin-client accept ${device.id}".`,
    }
  await noteImpostor(store, device, caller)
  return {
    known: false,
    device: null,
    sentence: `A device with this address (${device.mac}) is known, and this one does not show its key. Ask the administrator to run "berth thin-client accept ${device.id}" if it is the same device.`,
  }
}

/**
 * The device whose key this is, when it also says its own MAC; null otherwise. Gives no key and notes nothing: who reports must have been told before.
 */
export async function deviceByKey(
  store: Store,
  macs: readonly string[],
  key: string | null,
): Promise<ThinClientRow | null> {
  if (key === null) return null
  const device = await store
    .selectFrom('thin_client')
    .selectAll()
    .where('key_hash', '=', keyHash(key))
    .executeTakeFirst()
  return device && macs.map(normalMac).includes(device.mac) ? device : null
}

/** Of the MACs that a device says, its own and those that no other accepted device has: naming somebody else's gives nobody that one's desktop. */
export async function provenMacs(
  store: Store,
  device: ThinClientRow,
  said: readonly string[],
): Promise<string[]> {
  const others = said.map(normalMac).filter((mac) => mac !== device.mac)
  if (others.length === 0) return [device.mac]
  const taken = await store
    .selectFrom('thin_client')
    .select('mac')
    .where('mac', 'in', others)
    .where('accepted', '=', 1)
    .execute()
  return [device.mac, ...others.filter((mac) => !taken.some((row) => row.mac === mac))]
}

export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

async function firstContact(
  store: Store,
  networks: Networks,
  caller: Caller,
  mac: string,
): Promise<Identity> {
  const accepted = inNetworks(networks, caller.address)
  const now = Date.now()
  if (!accepted) {
    const { count } = await store
      .selectFrom('thin_client')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('accepted', '=', 0)
      .executeTakeFirstOrThrow()
    if (count >= MOST_UNKNOWN)
      return {
        known: false,
        device: null,
        sentence:
          'Too many unknown devices have asked. Ask the administrator to remove those that are not his.',
      }
  }
  const key = accepted ? randomBytes(32).toString('hex') : null
  const device: ThinClientRow = {
    id: randomUUID().slice(0, 8),
    mac,
    key_hash: key === null ? null : keyHash(key),
    accepted: accepted ? 1 : 0,
    address: caller.address,
    hostname: caller.hostname,
    version: caller.version,
    assigned_machine_id: null,
    assigned_pool_id: null,
    note: '',
    first_seen: now,
    last_seen: now,
  }
  const written = await store.transaction().execute(async (tx) => {
    const { numInsertedOrUpdatedRows } = await tx
      .insertInto('thin_client')
      .values(device)
      .onConflict((oc) => oc.doNothing())
      .executeTakeFirst()
    if (numInsertedOrUpdatedRows !== 1n) return false
    await recordEvent(
      tx,
      { actor: `thin-client:${mac}`, address: caller.address },
      'thin-client.first-contact',
      `thin-client:${device.id}`,
      { accepted },
    )
    return true
  })
  if (!written) return await identify(store, networks, caller) // another question of the same device was quicker
  if (accepted) return { known: true, device, newKey: key }
  return {
    known: false,
    device,
    sentence: `This device (${mac}) is new and its network is not one that is trusted. Ask the administrator to run "berth thin-client accept ${device.id}".`,
  }
}

/** The administrator has accepted the device: the first that asks with its MAC gets the key. */
async function giveKey(store: Store, device: ThinClientRow, caller: Caller): Promise<Identity> {
  const key = randomBytes(32).toString('hex')
  const { numUpdatedRows } = await store
    .updateTable('thin_client')
    .set({ key_hash: keyHash(key) })
    .where('id', '=', device.id)
    .where('key_hash', 'is', null)
    .executeTakeFirst()
  if (numUpdatedRows !== 1n)
    return {
      known: false,
      device: null,
      sentence: 'Another device with this address was quicker. Ask the administrator.',
    }
  await recordEvent(
    store,
    { actor: `thin-client:${device.mac}`, address: caller.address },
    'thin-client.key',
    `thin-client:${device.id}`,
  )
  return { known: true, device, newKey: key }
}

async function noteImpostor(store: Store, device: ThinClientRow, caller: Caller): Promise<void> {
  const note = `A device without its key asked from ${caller.address}.`
  if (device.note === note) return
  await store.updateTable('thin_client').set({ note }).where('id', '=', device.id).execute()
  await recordEvent(
    store,
    { actor: `thin-client:${device.mac}`, address: caller.address },
    'thin-client.wrong-key',
    `thin-client:${device.id}`,
    {},
    'refused',
  )
}

function inNetworks(networks: Networks, address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return networks.some(
    ([network, bits]) =>
      network.kind() === parsed.kind() &&
      (parsed as ipaddr.IPv4).match(network as ipaddr.IPv4, bits),
  )
}
