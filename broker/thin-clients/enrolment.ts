import { randomUUID } from 'node:crypto'
import { recordEvent } from '../audit/store.js'
import type { Queries } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import { askerOf, type Caller } from './askers.js'
import { believe } from './device-macs.js'
import type { Newcomer } from './newcomer.js'

/**
 * So many devices that nobody has accepted are remembered, in all and of one address; more come
 * from a flood, not from desks.
 */
const MOST_UNACCEPTED = 2_000
const MOST_UNACCEPTED_OF_ADDRESS = 50

export function rowOf(caller: Caller, mac: string, now: number): ThinClientRow {
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

/**
 * Writes the new row, unless meanwhile there is one of the same asker with this MAC; gives the one
 * that is there, or why none may be added. Inside the caller's transaction.
 */
export async function writeNewcomer(
  tx: Queries,
  row: ThinClientRow,
  caller: Caller,
): Promise<ThinClientRow | string> {
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
}

/** Writes a device of its own beside another one that has its MACs. Inside the caller's transaction. */
export async function writeBeside(
  tx: Queries,
  row: ThinClientRow,
  beside: ThinClientRow,
  caller: Caller,
): Promise<void> {
  await tx
    .updateTable('thin_client')
    .set({ accept_for: null, accept_as_new: 0 })
    .where('id', '=', beside.id)
    .execute()
  await tx.insertInto('thin_client').values(row).execute()
  await believe(tx, row, caller, row.first_seen)
  await recordEvent(
    tx,
    { actor: `thin-client:${row.mac}`, address: caller.address },
    'thin-client.first-contact',
    `thin-client:${row.id}`,
    { accepted: true, beside: beside.id },
  )
}

/**
 * Gives a known row another key; false: another question was quicker. `vouched`: somebody stands
 * for what the device says of itself. Inside the caller's transaction.
 */
export async function writeKey(
  tx: Queries,
  row: Newcomer['rows'][number],
  given: Partial<ThinClientRow>,
  caller: Caller,
  now: number,
  vouched: boolean,
): Promise<boolean> {
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
  if (vouched) await believe(tx, row, caller, now, row.accept_for !== null)
  const isFirst = row.accepted === 0 && row.accept_for === null
  await recordEvent(
    tx,
    { actor: `thin-client:${row.mac}`, address: caller.address },
    isFirst ? 'thin-client.first-contact' : 'thin-client.key',
    `thin-client:${row.id}`,
    isFirst ? { accepted: true } : {},
  )
  return true
}

/** Why no more devices that nobody has accepted are remembered; null: there is room. */
export async function tooMany(queries: Queries, address: string): Promise<string | null> {
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

/** Devices that have one of these MACs, or say so. */
export async function rowsWith(
  queries: Queries,
  macs: readonly string[],
): Promise<Newcomer['rows']> {
  return await queries
    .selectFrom('thin_client_mac')
    .innerJoin('thin_client', 'thin_client.id', 'thin_client_mac.thin_client_id')
    .selectAll('thin_client')
    .select(['thin_client_mac.mac as said_mac', 'believed'])
    .where('thin_client_mac.mac', 'in', [...macs])
    .orderBy('thin_client.accepted', 'desc')
    .orderBy('thin_client.first_seen')
    .execute()
}

/** What its row says of a key that is given to it. */
export function keyGiven(
  row: Newcomer['rows'][number],
  hash: string,
  caller: Caller,
  now: number,
): Partial<ThinClientRow> {
  return {
    key_hash: hash,
    key_shown: 0,
    asker: askerOf(caller),
    key_given_at: now,
    address: caller.address,
    ...(row.key_hash === null ? { mac: row.said_mac, hostname: caller.hostname } : {}),
  }
}
