import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { inNetworks, type Network } from '../addresses.js'
import { recordEvent } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import { GroupedWrites } from '../store/grouped-writes.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { ThinClientRow } from '../store/tables.js'
import { type Askers, askerOf, type Caller } from './askers.js'
import {
  believe,
  believedMacs,
  type DeviceMac,
  macsOf,
  normalMacs,
  noteMacs,
} from './device-macs.js'
import { FirstContacts } from './first-contacts.js'
import { Strangers } from './strangers.js'

/**
 * known: it has shown its key, or is given one now; `macs` and `hostname` are those by which
 * clients.xml may mean it. Otherwise the sentence says why not; `device` is the row that it has
 * made, `about` the one that an administrator would accept for it, and `code` what tells it from
 * others that ask for that.
 */
export type Identity =
  | {
      readonly known: true
      readonly device: ThinClientRow
      readonly newKey: string | null
      readonly macs: readonly string[]
      readonly hostname: string
    }
  | {
      readonly known: false
      readonly device: ThinClientRow | null
      readonly sentence: string
      readonly about: string | null
      readonly code: string | null
    }
type Known = Extract<Identity, { known: true }>
type Unknown = Extract<Identity, { known: false }>

export type Networks = readonly Network[]

export interface IdentitiesDeps {
  readonly store: Store
  readonly networks: Networks
  readonly askers: Askers
  /** What of this device waits for an answer looks again: its key, or what it is believed to be, has changed. */
  readonly tell: (deviceId: string) => void
  /** What is seen of the devices has changed. */
  readonly onSeen: () => void
  readonly now: () => number
}

/**
 * So many devices that nobody has accepted are remembered, in all and of one address; more come
 * from a flood, not from desks.
 */
const MOST_UNACCEPTED = 2_000
const MOST_UNACCEPTED_OF_ADDRESS = 50
const FORGET_UNACCEPTED_MS = 24 * 3_600_000
/** A key that was not shown by then never arrived: whoever got it would have asked again within seconds. */
const KEY_LOST_AFTER_MS = 30_000

/** Who asks, and in the place of which of these rows: those that have one of its MACs. */
interface Newcomer {
  readonly caller: Caller
  readonly trusted: boolean
  readonly rows: ReadonlyArray<
    ThinClientRow & { readonly said_mac: string; readonly believed: 0 | 1 }
  >
}

/**
 * Who is this device? A MAC is a label that anybody can write on themselves: at first contact, from a
 * configured network, it gets a key, and from then on the key alone counts, whatever cards it has.
 * Until the key is shown for the first time it is on its way, and is given again to the same
 * device, since an answer may be lost. Whoever asks with the MACs of a known device and without its
 * key stays unknown until an administrator accepts them, by the code on their screen.
 */
export class Identities {
  /** Keys that are on their way, by their hashes, which alone are kept: after a restart another one is given. */
  readonly #onTheirWay = new Map<string, string>()
  /** After a power cut all come at once. */
  readonly #writes: GroupedWrites
  readonly #strangers: Strangers
  readonly #firstContacts: FirstContacts

  constructor(readonly deps: IdentitiesDeps) {
    this.#writes = new GroupedWrites(deps.store)
    this.#strangers = new Strangers(deps)
    this.#firstContacts = new FirstContacts(deps)
  }

  async identify(said: Caller): Promise<Identity> {
    const caller = { ...said, macs: normalMacs(said.macs) }
    const device = await this.byKey(caller.key)
    if (device) return await this.#meet(device, caller)
    const newcomer = {
      caller,
      trusted: inNetworks(this.deps.networks, caller.address),
      rows: await this.#rowsOf(caller.macs),
    }
    return (
      (await this.#awaited(newcomer)) ??
      (await this.#again(newcomer)) ??
      (await this.#inPlaceOf(newcomer)) ??
      (await this.#firstContact(newcomer))
    )
  }

  /** The device whose key this is, or null. Gives no key; notes that this one has arrived. */
  async byKey(key: string | null): Promise<ThinClientRow | null> {
    if (key === null) return null
    const { store } = this.deps
    const device = await store
      .selectFrom('thin_client')
      .selectAll()
      .where('key_hash', '=', keyHash(key))
      .executeTakeFirst()
    if (!device) return null
    // An acceptance of whoever comes from its address was meant for a device that has lost its key.
    const over = device.accept_for?.startsWith('address:') === true
    if (device.key_shown === 1 && !over) return device
    const change = { key_shown: 1 as const, ...(over ? { accept_for: null } : {}) }
    await this.#writes.write(async (tx) => {
      await tx.updateTable('thin_client').set(change).where('id', '=', device.id).execute()
    })
    this.#onTheirWay.delete(keyHash(key))
    return { ...device, ...change }
  }

  /** Devices that nobody has accepted within a day are forgotten. */
  async forgetUnaccepted(): Promise<void> {
    await this.deps.store
      .deleteFrom('thin_client')
      .where('accepted', '=', 0)
      .where('last_seen', '<', this.deps.now() - FORGET_UNACCEPTED_MS)
      .execute()
  }

  async #meet(device: ThinClientRow, caller: Caller): Promise<Known> {
    const { store, now } = this.deps
    if (device.believed_hostname === null) {
      await inTransaction(store, async (tx) => {
        await believe(tx, device, caller, now())
      })
      return await this.#known(device.id, null, caller)
    }
    return known(device, null, await noteMacs(store, device, caller, now()), caller)
  }

  async #known(id: string, key: string | null, caller: Caller): Promise<Known> {
    const { store } = this.deps
    const device = await store
      .selectFrom('thin_client')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst()
    if (!device)
      throw new BrokerError('device_unknown', 'This device was removed meanwhile: ask again.')
    return known(device, key, await macsOf(store, id), caller)
  }

  async #rowsOf(macs: readonly string[]): Promise<Newcomer['rows']> {
    return await this.deps.store
      .selectFrom('thin_client_mac')
      .innerJoin('thin_client', 'thin_client.id', 'thin_client_mac.thin_client_id')
      .selectAll('thin_client')
      .select(['thin_client_mac.mac as said_mac', 'believed'])
      .where('thin_client_mac.mac', 'in', [...macs])
      .orderBy('thin_client.accepted', 'desc')
      .orderBy('thin_client.first_seen')
      .execute()
  }

  /** An administrator has accepted it, and it comes for its key. */
  async #awaited({ caller, rows }: Newcomer): Promise<Identity | null> {
    const now = this.deps.now()
    const row = rows.find(
      ({ id, accept_for: wanted, accept_until: until }) =>
        wanted !== null &&
        until > now &&
        (wanted === `address:${caller.address}` ||
          wanted === `code:${this.deps.askers.code(id, caller)}`),
    )
    if (!row) return null
    return row.accept_as_new === 1
      ? await this.#asNew(row, caller)
      : await this.#giveKey(row, caller, { accepted: 1, accept_for: null, note: '' }, true)
  }

  /**
   * Its key is on its way, and did not arrive. Another one that says the same MAC gets it only
   * where it might have been the first, too, and after a while.
   */
  async #again({ caller, trusted, rows }: Newcomer): Promise<Identity | null> {
    const row = rows.find(isKeyOnItsWay)
    if (!row) return null
    const same = row.asker === askerOf(caller)
    // One of its cards is not known: another device at the same dock, unless its claim says that it is the same.
    if (!(same && caller.claim !== null) && freeMacs({ caller, rows }).length > 0) return null
    const wasGiven = same && row.key_hash !== null
    if (!wasGiven && !(trusted && mayBeFirst(row, caller.address, this.deps.now()))) return null
    const key = same ? this.#onTheirWay.get(row.key_hash ?? '') : undefined
    return key === undefined
      ? await this.#giveKey(row, caller, {}, false)
      : await this.#known(row.id, key, caller)
  }

  /** All its MACs are those of known devices: it may be one of them that has lost its key, or somebody who says so. */
  async #inPlaceOf({ caller, trusted, rows }: Newcomer): Promise<Unknown | null> {
    const [device] = rows.filter((row) => row.accepted === 1 && row.believed === 1)
    if (!device || freeMacs({ caller, rows }).length > 0) return null
    const { askers } = this.deps
    if (askers.note(device.id, caller, trusted)) this.deps.onSeen()
    await this.#strangers.note(device, caller)
    const code = askers.code(device.id, caller)
    return {
      known: false,
      device: null,
      about: device.id,
      code,
      sentence:
        `A device with this address (${device.mac}) is known, and this one does not show its ` +
        `key. Ask the administrator to run "berth thin-client accept ${device.id} ` +
        `--code ${code}" if it is the same device.`,
    }
  }

  async #firstContact(newcomer: Newcomer): Promise<Identity> {
    const { caller, trusted, rows } = newcomer
    const before = rows.find((row) => row.accepted === 0)
    if (trusted) {
      // Whoever asked before from a network that is not trusted has proven nothing.
      if (before)
        return await this.#giveKey(
          before,
          caller,
          { accepted: 1, accept_for: null, note: '' },
          true,
        )
      return await this.#enrol(newcomer)
    }
    if (before) return this.#waits(before, caller)
    // A flood is turned away before it takes the database's only writer.
    const refused = await tooMany(this.deps.store, caller.address)
    if (refused !== null) return nobody(refused)
    const row = await this.#write(
      rowOf(caller, freeMacs(newcomer)[0] ?? '', this.deps.now()),
      caller,
    )
    if (typeof row === 'string') return nobody(row)
    const waits = this.#waits(row, caller)
    return {
      ...waits,
      sentence:
        `This device (${row.mac}) is new and its network is not one that is trusted. Ask the ` +
        `administrator to run "berth thin-client accept ${row.id} --code ${waits.code ?? ''}".`,
    }
  }

  #waits(row: ThinClientRow, caller: Caller): Unknown {
    if (this.deps.askers.note(row.id, caller, false)) this.deps.onSeen()
    const code = this.deps.askers.code(row.id, caller)
    return {
      known: false,
      // What others say who ask for the same row is not what the row shows.
      device: row.asker === askerOf(caller) || row.asker === '' ? row : null,
      about: row.id,
      code,
      sentence:
        `This device (${row.mac}) is not accepted yet. Ask the administrator to run "berth ` +
        `thin-client accept ${row.id} --code ${code}".`,
    }
  }

  async #enrol(newcomer: Newcomer): Promise<Identity> {
    const { caller } = newcomer
    const refused = await this.#firstContacts.count()
    if (refused !== null) return nobody(refused)
    const key = this.#newKey()
    const row: ThinClientRow = {
      ...rowOf(caller, freeMacs(newcomer)[0] ?? '', this.deps.now()),
      key_hash: keyHash(key),
      accepted: 1,
    }
    const written = await this.#write(row, caller)
    if (typeof written === 'string') return nobody(written)
    if (written.id === row.id) return await this.#known(row.id, key, caller)
    // Another question of the same device was quicker.
    this.#onTheirWay.delete(keyHash(key))
    return await this.identify(caller)
  }

  /**
   * Writes the new row, unless meanwhile there is one of the same asker with this MAC; gives the
   * one that is there, or why none may be added.
   */
  async #write(row: ThinClientRow, caller: Caller): Promise<ThinClientRow | string> {
    return await this.#writes.write(async (tx) => {
      const quicker = await tx
        .selectFrom('thin_client')
        .innerJoin('thin_client_mac', 'thin_client_mac.thin_client_id', 'thin_client.id')
        .selectAll('thin_client')
        .where('thin_client_mac.mac', '=', row.mac)
        .where((eb) => eb.or([eb('believed', '=', 1), eb('accepted', '=', 0)]))
        .executeTakeFirst()
      if (quicker) return quicker
      const refused = row.accepted === 1 ? null : await tooMany(tx, row.address)
      if (refused !== null) return refused
      await tx.insertInto('thin_client').values(row).execute()
      if (row.accepted === 1) await believe(tx, row, caller, row.first_seen)
      else
        for (const mac of caller.macs)
          await tx
            .insertInto('thin_client_mac')
            .values({ thin_client_id: row.id, mac, believed: 0, first_seen: row.first_seen })
            .execute()
      await recordEvent(
        tx,
        { actor: `thin-client:${row.mac}`, address: caller.address },
        'thin-client.first-contact',
        `thin-client:${row.id}`,
        { accepted: row.accepted === 1 },
      )
      return row
    })
  }

  /** A device of its own, although another one has its MACs: two that share a dock. */
  async #asNew(beside: ThinClientRow, caller: Caller): Promise<Known> {
    const key = this.#newKey()
    const now = this.deps.now()
    const row: ThinClientRow = {
      ...rowOf(caller, caller.macs[0] ?? '', now),
      key_hash: keyHash(key),
      accepted: 1,
    }
    await inTransaction(this.deps.store, async (tx) => {
      await tx
        .updateTable('thin_client')
        .set({ accept_for: null, accept_as_new: 0 })
        .where('id', '=', beside.id)
        .execute()
      await tx.insertInto('thin_client').values(row).execute()
      await believe(tx, row, caller, now)
      await recordEvent(
        tx,
        { actor: `thin-client:${row.mac}`, address: caller.address },
        'thin-client.first-contact',
        `thin-client:${row.id}`,
        { accepted: true, beside: beside.id },
      )
    })
    this.deps.askers.forget(beside.id)
    return await this.#known(row.id, key, caller)
  }

  /**
   * A new key for a known row. `vouched`: somebody stands for what the device says of itself: its
   * network, or an administrator.
   */
  async #giveKey(
    row: Newcomer['rows'][number],
    caller: Caller,
    change: Partial<ThinClientRow>,
    vouched: boolean,
  ): Promise<Identity> {
    const { store, now } = this.deps
    const key = this.#newKey()
    const given: Partial<ThinClientRow> = {
      ...change,
      key_hash: keyHash(key),
      key_shown: 0,
      asker: askerOf(caller),
      key_given_at: now(),
      address: caller.address,
      ...(row.key_hash === null ? { mac: row.said_mac, hostname: caller.hostname } : {}),
    }
    const won = await inTransaction(store, async (tx) => {
      const { numUpdatedRows } = await tx
        .updateTable('thin_client')
        .set(given)
        .where('id', '=', row.id)
        .where('key_hash', row.key_hash === null ? 'is' : '=', row.key_hash)
        .executeTakeFirst()
      if (numUpdatedRows !== 1n) return false
      // What others have said who asked before it came.
      if (row.key_hash === null)
        await tx.deleteFrom('thin_client_mac').where('thin_client_id', '=', row.id).execute()
      // An administrator who has accepted it has also accepted what it says.
      if (vouched) await believe(tx, row, caller, now(), row.accept_for !== null)
      await recordEvent(
        tx,
        { actor: `thin-client:${row.mac}`, address: caller.address },
        row.accepted === 0 && row.accept_for === null
          ? 'thin-client.first-contact'
          : 'thin-client.key',
        `thin-client:${row.id}`,
        row.accepted === 0 && row.accept_for === null ? { accepted: true } : {},
      )
      return true
    })
    this.#onTheirWay.delete(won ? (row.key_hash ?? '') : keyHash(key))
    // Another question was quicker, perhaps one of the same device.
    if (!won) return await this.identify(caller)
    this.deps.askers.forget(row.id)
    this.deps.tell(row.id)
    return await this.#known(row.id, key, caller)
  }

  /**
   * It is known to be on its way before the row says so: a second question of the same device must
   * not be given another one.
   */
  #newKey(): string {
    const key = randomBytes(32).toString('hex')
    this.#onTheirWay.set(keyHash(key), key)
    return key
  }
}

function nobody(sentence: string): Unknown {
  return { known: false, device: null, about: null, code: null, sentence }
}

export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

/** The MACs that belong to no accepted device. */
function freeMacs({ caller, rows }: Pick<Newcomer, 'caller' | 'rows'>): string[] {
  const taken = rows.filter((row) => row.accepted === 1 && row.believed === 1)
  return caller.macs.filter((mac) => !taken.some((row) => row.said_mac === mac))
}

function rowOf(caller: Caller, mac: string, now: number): ThinClientRow {
  return {
    id: randomUUID().slice(0, 8),
    mac,
    name: '',
    key_hash: null,
    key_shown: 0,
    asker: askerOf(caller),
    key_given_at: now,
    accepted: 0,
    accept_for: null,
    accept_until: 0,
    accept_as_new: 0,
    address: caller.address,
    hostname: caller.hostname,
    believed_hostname: null,
    version: caller.version,
    assigned_machine_id: null,
    assigned_pool_id: null,
    note: '',
    strangers_day: 0,
    strangers: 0,
    first_seen: now,
    last_seen: now,
  }
}

function known(
  device: ThinClientRow,
  key: string | null,
  macs: readonly DeviceMac[],
  caller: Caller,
): Known {
  return {
    known: true,
    device,
    newKey: key,
    macs: believedMacs(macs, caller.macs),
    hostname: device.believed_hostname ?? '',
  }
}

/** Why no more devices that nobody has accepted are remembered; null: there is room. */
async function tooMany(queries: Queries, address: string): Promise<string | null> {
  const unaccepted = queries
    .selectFrom('thin_client')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('accepted', '=', 0)
  const ofAddress = await unaccepted.where('address', '=', address).executeTakeFirstOrThrow()
  const all = await unaccepted.executeTakeFirstOrThrow()
  return ofAddress.count >= MOST_UNACCEPTED_OF_ADDRESS || all.count >= MOST_UNACCEPTED
    ? 'Too many unknown devices have asked. Ask the administrator to run "berth thin-client ' +
        'remove --unaccepted", or to accept those that are theirs.'
    : null
}

function isKeyOnItsWay(row: {
  readonly accepted: number
  readonly believed: number
  readonly key_shown: number
}): boolean {
  return row.accepted === 1 && row.believed === 1 && row.key_shown === 0
}

/**
 * Whether one that comes from here may be who asked first. Once an administrator has said who of
 * them it is, it is nobody else, also not who asked first or stands beside it.
 */
function mayBeFirst(
  row: { readonly accept_until: number; readonly key_given_at: number; readonly address: string },
  address: string,
  now: number,
): boolean {
  if (row.accept_until > now) return false
  return now - row.key_given_at > KEY_LOST_AFTER_MS || row.address === address
}
