import type { OrderState } from '../api/device-orders.js'
import type { AssignRequest, ThinClient, ThinClientDetail } from '../api/thin-clients.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import { requireMachine } from '../machines/store.js'
import { requirePool } from '../pools/store.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import type { DeviceLogins } from './device-logins.js'
import type { Orders, Wish } from './orders.js'
import { NOT_ASKED, type SeenDevices } from './seen.js'

export interface DevicesDeps {
  readonly store: Store
  readonly seen: SeenDevices
  readonly orders: Orders
  readonly logins: DeviceLogins
  /** What a device gets, in words, first choice first. */
  readonly gets: (device: ThinClientRow) => Promise<string[]>
  /** What of this device waits for an answer looks again. */
  readonly tell: (deviceId: string) => void
}

type ListedRow = ThinClientRow & {
  readonly assigned: string | null
  readonly assigned_pool: string | null
}

/** The thin clients as an administrator sees and changes them. */
export class Devices {
  constructor(readonly deps: DevicesDeps) {}

  async list(): Promise<ThinClient[]> {
    const people = await this.deps.logins.names()
    return (await this.#rows().execute()).map((row) => this.#toApi(row, people.get(row.id) ?? null))
  }

  /** Throws `not_found`. */
  async show(id: string): Promise<ThinClientDetail> {
    const row = await this.#rows().where('thin_client.id', '=', id).executeTakeFirst()
    if (!row) throw noSuch(id)
    const people = await this.deps.logins.names()
    return {
      ...this.#toApi(row, people.get(id) ?? null),
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
    if (machine !== null && pool !== null)
      throw new BrokerError(
        'invalid_request',
        'A device gets a machine or a pool of its own, not both.',
      )
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

  /** Forgets its key: the next device that asks with this MAC gets a new one. */
  async accept(id: string, by: Actor): Promise<ThinClient> {
    return await this.#change(
      id,
      { accepted: 1, key_hash: null, note: '' },
      by,
      'thin-client.accept',
      {},
    )
  }

  async order(id: string, wish: Wish, by: Actor): Promise<OrderState> {
    return await this.deps.orders.give(await this.#row(id), wish, by)
  }

  async remove(id: string, by: Actor): Promise<void> {
    const row = await this.#row(id)
    await this.deps.logins.end(id, 'This device was removed.', by)
    await this.deps.store.transaction().execute(async (tx) => {
      await tx.deleteFrom('thin_client').where('id', '=', id).execute()
      await tx
        .deleteFrom('assignment')
        .where('holder', '=', `thin-client:${id}`)
        .where('pool_id', 'is', null)
        .execute()
      await recordEvent(tx, by, 'thin-client.remove', `thin-client:${id}`, { mac: row.mac })
    })
    this.deps.seen.forget(id)
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
    action: string,
    detail: unknown,
  ): Promise<ThinClient> {
    await this.#row(id)
    await this.deps.store.transaction().execute(async (tx) => {
      await tx.updateTable('thin_client').set(change).where('id', '=', id).execute()
      await recordEvent(tx, by, action, `thin-client:${id}`, detail)
    })
    this.deps.tell(id)
    const found = (await this.list()).find((client) => client.id === id)
    if (!found) throw new BrokerError('not_found', `The thin client ${id} was removed meanwhile.`)
    return found
  }

  #toApi(row: ListedRow, person: string | null): ThinClient {
    const seen = this.deps.seen.of(row.id)
    return {
      id: row.id,
      mac: row.mac,
      address: seen?.address ?? row.address,
      hostname: seen?.hostname ?? row.hostname,
      version: seen?.version ?? row.version,
      state: seen?.state ?? null,
      sentence: seen?.sentence ?? NOT_ASKED,
      machine: seen?.machine ?? null,
      assigned: row.assigned,
      assignedPool: row.assigned_pool,
      here: this.deps.seen.isHere(row.id),
      person,
      accepted: row.accepted === 1,
      showing: seen?.showing ?? null,
      note: [seen?.note, row.note].filter(Boolean).join(' '),
      firstSeen: new Date(row.first_seen).toISOString(),
      lastSeen: new Date(Math.max(row.last_seen, seen?.lastSeenMs ?? 0)).toISOString(),
    }
  }
}

function noSuch(id: string): BrokerError {
  return new BrokerError(
    'not_found',
    `There is no thin client ${id}: "berth thin-client list" shows all.`,
  )
}
