import type { OrderState } from '../api/device-orders.js'
import type {
  AcceptRequest,
  AssignRequest,
  ThinClient,
  ThinClientDetail,
} from '../api/thin-clients.js'
import type { AuditAction } from '../audit/actions.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import { requireMachine } from '../machines/store.js'
import { requirePool } from '../pools/store.js'
import type { Assignments } from '../assignments/service.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { ThinClientRow } from '../store/tables.js'
import { mapInTurns } from '../turn.js'
import { acceptanceOf } from './acceptance.js'
import type { Askers } from './askers.js'
import { allMacs, believe, macsOf } from './device-macs.js'
import { toApi } from './device-view.js'
import type { DeviceLogins } from './device-logins.js'
import type { Orders, Wish } from './orders.js'
import type { SeenDevices } from './seen.js'

export interface DevicesDeps {
  readonly store: Store
  readonly assignments: Assignments
  readonly seen: SeenDevices
  readonly askers: Askers
  readonly orders: Orders
  readonly logins: DeviceLogins
  /** What a device gets, in words, first choice first. */
  readonly gets: (device: ThinClientRow) => Promise<string[]>
  /** What of this device waits for an answer looks again. */
  readonly tell: (deviceId: string) => void
  /** By which acceptances end. */
  readonly now: () => number
}

/** An accepted device that does not come for its key by then must be accepted again. */
const ACCEPTED_FOR_MS = 24 * 3_600_000

/** The thin clients as an administrator sees and changes them. */
export class Devices {
  constructor(readonly deps: DevicesDeps) {}

  async list(): Promise<ThinClient[]> {
    const people = await this.deps.logins.names()
    const macs = await allMacs(this.deps.store)
    return await mapInTurns(await this.#rows().execute(), (row) =>
      toApi(this.deps, row, macs.get(row.id) ?? [], people.get(row.id) ?? null),
    )
  }

  /** Throws `not_found`. */
  async show(id: string): Promise<ThinClientDetail> {
    const row = await this.#rows().where('thin_client.id', '=', id).executeTakeFirst()
    if (!row) throw noSuch(id)
    const people = await this.deps.logins.names()
    return {
      ...toApi(this.deps, row, await macsOf(this.deps.store, id), people.get(id) ?? null),
      orders: await this.deps.orders.of(id),
      gets: await this.deps.gets(row),
    }
  }

  /** A machine or a pool of its own, or none. Throws `not_found`, `invalid_request`. */
  async assign(
    id: string,
    { machine = null, pool = null }: AssignRequest,
    by: Actor,
  ): Promise<ThinClient> {
    if (machine !== null && pool !== null) throw refusal('device_machine_or_pool')
    const change = {
      assigned_machine_id:
        machine === null ? null : (await requireMachine(this.deps.store, machine)).id,
      assigned_pool_id: pool === null ? null : (await requirePool(this.deps.store, pool)).id,
    }
    return await this.#change(
      id,
      change,
      by,
      'thin-client.assign',
      pool === null ? { machine } : { pool },
    )
  }

  /**
   * Lets one of those that ask in the place of this device have a key: it is given at its next
   * contact, and only to it; the old key is good until then. Where nobody asks and the device shows
   * its key, what it says of itself now is believed. Throws `code_needed` when it may be several.
   */
  async accept(id: string, request: AcceptRequest, by: Actor): Promise<ThinClient> {
    const row = await this.#row(id)
    const seen = this.deps.seen.of(id)
    const subject = {
      id,
      accepted: row.accepted === 1,
      here: this.deps.seen.isHere(id),
      address: seen?.address ?? row.address,
    }
    const acceptance = acceptanceOf(subject, this.deps.askers.of(id), request)
    if (acceptance.kind === 'itself') return await this.#believe(row, by)
    const change = {
      accept_for: acceptance.asker,
      accept_until: this.deps.now() + ACCEPTED_FOR_MS,
      accept_as_new: request.asNew === true ? (1 as const) : (0 as const),
      ...(request.asNew === true ? {} : { accepted: 1 as const, note: '' }),
    }
    // From now on a stranger who says its MACs asks in its place.
    if (row.accepted === 0)
      await this.deps.store
        .updateTable('thin_client_mac')
        .set({ believed: 1 })
        .where('thin_client_id', '=', id)
        .execute()
    return await this.#change(id, change, by, 'thin-client.accept', {
      for: acceptance.asker,
      ...(request.asNew === true ? { asNew: true } : {}),
    })
  }

  /** A name of an administrator's choice; empty: none. Throws `name_taken`. */
  async rename(id: string, name: string, by: Actor): Promise<ThinClient> {
    const row = await this.#row(id)
    const wanted = name.trim()
    const taken = (await this.#rows().execute()).some(
      (other) => other.id !== id && wanted !== '' && sameName(other.name, wanted),
    )
    if (taken) throw refusal('device_name_taken', { name: wanted })
    return await this.#change(id, { name: wanted }, by, 'thin-client.rename', {
      before: row.name,
      after: wanted,
    })
  }

  /** Gives how many there were. */
  async forgetUnaccepted(by: Actor): Promise<number> {
    const { store, seen, askers } = this.deps
    const rows = await store
      .selectFrom('thin_client')
      .select('id')
      .where('accepted', '=', 0)
      .execute()
    await inTransaction(store, async (tx) => {
      await tx.deleteFrom('thin_client').where('accepted', '=', 0).execute()
      if (rows.length > 0)
        await recordEvent(tx, by, 'thin-client.remove-unaccepted', 'thin-clients', {
          count: rows.length,
        })
    })
    for (const { id } of rows) {
      askers.forget(id)
      seen.forget(id)
    }
    return rows.length
  }

  async order(id: string, wish: Wish, by: Actor): Promise<OrderState> {
    return await this.deps.orders.give(await this.#row(id), wish, by)
  }

  async remove(id: string, by: Actor): Promise<void> {
    const row = await this.#row(id)
    await this.deps.logins.end(id, 'This device was removed.', by)
    await inTransaction(this.deps.store, async (tx) => {
      await tx.deleteFrom('thin_client').where('id', '=', id).execute()
      await recordEvent(tx, by, 'thin-client.remove', `thin-client:${id}`, { mac: row.mac })
    })
    await this.deps.assignments.releaseAllOf(`thin-client:${id}`, 'its device was removed', by)
    this.deps.askers.forget(id)
    this.deps.seen.forget(id)
    this.deps.tell(id)
  }

  async #believe(row: ThinClientRow, by: Actor): Promise<ThinClient> {
    const seen = this.deps.seen.of(row.id)
    const macs = seen?.macs ?? [row.mac]
    const hostname = seen?.hostname ?? row.hostname
    await inTransaction(this.deps.store, async (tx) => {
      await tx
        .deleteFrom('thin_client_mac')
        .where('thin_client_id', '=', row.id)
        .where('believed', '=', 0)
        .execute()
      await believe(tx, row, { macs, hostname }, Date.now(), true)
    })
    return await this.#change(row.id, { note: '' }, by, 'thin-client.accept', { macs, hostname })
  }

  #rows() {
    return this.deps.store
      .selectFrom('thin_client')
      .leftJoin('machine', 'machine.id', 'thin_client.assigned_machine_id')
      .leftJoin('pool', 'pool.id', 'thin_client.assigned_pool_id')
      .selectAll('thin_client')
      .select(['machine.name as assigned', 'pool.name as assigned_pool'])
      .orderBy('thin_client.mac')
  }

  async #row(id: string): Promise<ThinClientRow> {
    const row = await this.deps.store
      .selectFrom('thin_client')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst()
    if (!row) throw noSuch(id)
    return row
  }

  async #change(
    id: string,
    change: Partial<ThinClientRow>,
    by: Actor,
    action: AuditAction,
    detail: unknown,
  ): Promise<ThinClient> {
    await this.#row(id)
    await inTransaction(this.deps.store, async (tx) => {
      await tx.updateTable('thin_client').set(change).where('id', '=', id).execute()
      await recordEvent(tx, by, action, `thin-client:${id}`, detail)
    })
    this.deps.tell(id)
    const found = (await this.list()).find((client) => client.id === id)
    if (!found) throw refusal('thin_client_removed', { id })
    return found
  }
}

function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}

function noSuch(id: string): BrokerError {
  return refusal('thin_client_unknown', { id })
}
