import { randomBytes } from 'node:crypto'
import { inNetworks, type Network } from '../addresses.js'
import { refusal } from '../errors/broker-error.js'
import { GroupedWrites } from '../store/grouped-writes.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { ThinClientRow } from '../store/tables.js'
import { type Askers, askerOf, type Caller } from './askers.js'
import { believe, macsOf, normalMacs, noteMacs } from './device-macs.js'
import {
  keyGiven,
  rowOf,
  rowsWith,
  tooMany,
  writeBeside,
  writeKey,
  writeNewcomer,
} from './enrolment.js'
import { FirstContacts } from './first-contacts.js'
import {
  freeMacs,
  type Identity,
  isKeyOnItsWay,
  keyHash,
  known,
  type Known,
  mayBeFirst,
  type Newcomer,
  nobody,
  type Unknown,
  mayBeKnown,
  waits,
} from './newcomer.js'
import { Strangers } from './strangers.js'

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

const FORGET_UNACCEPTED_MS = 24 * 3_600_000

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
      rows: await rowsWith(this.deps.store, caller.macs),
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
    if (!device) throw refusal('device_removed')
    return known(device, key, await macsOf(store, id), caller)
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
    return mayBeKnown(device, askers.code(device.id, caller))
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
    const row = await this.#writes.write(
      async (tx) =>
        await writeNewcomer(
          tx,
          rowOf(caller, freeMacs(newcomer)[0] ?? '', this.deps.now()),
          caller,
        ),
    )
    if (typeof row === 'string') return nobody(row)
    const answer = this.#waits(row, caller)
    return {
      ...answer,
      sentence:
        `This device (${row.mac}) is new and its network is not one that is trusted. Ask the ` +
        `administrator to run "berth thin-client accept ${row.id} --code ${answer.code ?? ''}".`,
    }
  }

  #waits(row: ThinClientRow, caller: Caller): Unknown {
    if (this.deps.askers.note(row.id, caller, false)) this.deps.onSeen()
    // What others say who ask for the same row is not what the row shows.
    const isRow = row.asker === askerOf(caller) || row.asker === ''
    return waits(row, this.deps.askers.code(row.id, caller), isRow)
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
    const written = await this.#writes.write(async (tx) => await writeNewcomer(tx, row, caller))
    if (typeof written === 'string') return nobody(written)
    if (written.id === row.id) return await this.#known(row.id, key, caller)
    // Another question of the same device was quicker.
    this.#onTheirWay.delete(keyHash(key))
    return await this.identify(caller)
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
      await writeBeside(tx, row, beside, caller)
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
    const given = { ...change, ...keyGiven(row, keyHash(key), caller, now()) }
    const won = await inTransaction(
      store,
      async (tx) => await writeKey(tx, row, given, caller, now(), vouched),
    )
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
