import type { Queries } from '../store/open.js'
import type { ConsoleSeatRow } from '../store/tables.js'
import type { Seat } from './policy.js'

export async function seatOf(queries: Queries, machineId: string): Promise<Seat | null> {
  const row = await queries
    .selectFrom('console_seat')
    .selectAll()
    .where('machine_id', '=', machineId)
    .executeTakeFirst()
  return row ? toSeat(row) : null
}

/** Those of several machines at once. */
export async function seatsOf(
  queries: Queries,
  machineIds: readonly string[],
): Promise<ReadonlyMap<string, Seat>> {
  const rows = await queries
    .selectFrom('console_seat')
    .selectAll()
    .where('machine_id', 'in', [...machineIds])
    .execute()
  return new Map(rows.map((row) => [row.machine_id, toSeat(row)]))
}

/** The seats of a hypervisor's machines whose ticket may still be used, or whose viewer was there at the last look. */
export async function openSeats(
  queries: Queries,
  hypervisor: string,
): Promise<Array<{ machineId: string; seat: Seat }>> {
  const rows = await queries
    .selectFrom('console_seat')
    .innerJoin('machine', 'machine.id', 'console_seat.machine_id')
    .selectAll('console_seat')
    .where('machine.hypervisor', '=', hypervisor)
    .where('disconnected_at', 'is', null)
    .execute()
  return rows.map((row) => ({ machineId: row.machine_id, seat: toSeat(row) }))
}

/** Every seat whose viewer was there at the last look. */
export async function connectedSeats(
  queries: Queries,
): Promise<Array<{ machineId: string; seat: Seat }>> {
  const rows = await queries
    .selectFrom('console_seat')
    .selectAll()
    .where('connected_at', 'is not', null)
    .execute()
  return rows.map((row) => ({ machineId: row.machine_id, seat: toSeat(row) }))
}

/** Notes who was given a ticket, in place of the one before. */
export async function putSeat(queries: Queries, machineId: string, seat: Seat): Promise<void> {
  const values = {
    holder_kind: seat.holder.kind,
    holder: seat.holder.name,
    address: seat.address,
    via: seat.via,
    ticket_at: seat.ticketAt,
    connected_at: seat.connectedAt,
    disconnected_at: seat.disconnectedAt,
  }
  await queries
    .insertInto('console_seat')
    .values({ machine_id: machineId, ...values })
    .onConflict((conflict) => conflict.column('machine_id').doUpdateSet(values))
    .execute()
}

/** Notes what became of a ticket; gives false when another one was given meanwhile. */
export async function noteSeat(
  queries: Queries,
  machineId: string,
  seat: Seat,
  change: { connected_at: number | null; disconnected_at: number | null },
): Promise<boolean> {
  const { numUpdatedRows } = await queries
    .updateTable('console_seat')
    .set(change)
    .where('machine_id', '=', machineId)
    .where('ticket_at', '=', seat.ticketAt)
    .where('holder', '=', seat.holder.name)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

export async function removeSeat(queries: Queries, machineId: string): Promise<void> {
  await queries.deleteFrom('console_seat').where('machine_id', '=', machineId).execute()
}

function toSeat(row: ConsoleSeatRow): Seat {
  return {
    holder: { kind: row.holder_kind, name: row.holder },
    address: row.address,
    via: row.via,
    ticketAt: row.ticket_at,
    connectedAt: row.connected_at,
    disconnectedAt: row.disconnected_at,
  }
}
