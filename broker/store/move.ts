import { createHash } from 'node:crypto'
import { PostgresAdapter, sql } from 'kysely'
import { refusal } from '../errors/broker-error.js'
import { Turn } from '../turn.js'
import { storeFault } from './faults.js'
import type { Queries, Store } from './store-types.js'
import type { Tables } from './tables.js'
import { inTransaction } from './transaction.js'

const ROWS_AT_ONCE = 200
/** Who holds and what is held refer to each other: these are filled in when both are there. */
const FILLED_IN_LATER = ['parent_id', 'generation_id', 'wanted_generation_id'] as const

/**
 * Every table with its key, in an order in which nothing refers to what comes later, but for
 * FILLED_IN_LATER of machine.
 */
const TABLES = [
  ['setting', ['name']],
  ['event', ['id']],
  ['account', ['name']],
  ['account_role', ['account', 'role', 'source']],
  ['token', ['hash']],
  ['web_session', ['hash']],
  ['login_failure', ['subject']],
  ['login_flow', ['hash']],
  ['hypervisor', ['name']],
  ['machine', ['id']],
  ['machine_mac', ['mac']],
  ['generation', ['id']],
  ['generation_copy', ['generation_id', 'hypervisor']],
  ['permission_grant', ['object_kind', 'object_id', 'subject_kind', 'subject_key']],
  ['job', ['id']],
  ['job_target', ['job_id', 'name']],
  ['job_step', ['job_id', 'target', 'step']],
  ['job_lock', ['machine_id']],
  ['pool', ['id']],
  ['desktop', ['machine_id']],
  ['pool_member', ['pool_id', 'machine_id']],
  ['assignment', ['machine_id']],
  ['machine_mirror', ['machine_id']],
  ['waiter', ['pool_id', 'holder']],
  ['console_seat', ['machine_id']],
  ['thin_client', ['id']],
  ['thin_client_mac', ['thin_client_id', 'mac']],
  ['device_login', ['thin_client_id']],
  ['thin_client_order', ['id']],
  ['clients_xml_version', ['id']],
  ['history_minute', ['at']],
  ['drain', ['hypervisor']],
  ['leftover', ['id']],
] as const satisfies ReadonlyArray<readonly [keyof Tables, readonly string[]]>

type Table = (typeof TABLES)[number][0]
type Row = Record<string, string | number | null>

/** Fails to compile when a table is missing above. */
const EVERY_TABLE: Exclude<keyof Tables, Table> extends never ? true : never = true

export interface Moved {
  readonly tables: number
  readonly rows: number
}

/**
 * Copies everything from one database into another one, which has the schema and holds nothing yet,
 * and compares the two row by row; nothing stays in the target when that fails. `progress` hears
 * of each table. Throws when the target holds something.
 */
export async function copyStore(
  from: Store,
  to: Store,
  progress: (table: string, rows: number) => void,
): Promise<Moved> {
  let rows = 0
  await inTransaction(to, async (tx) => {
    await refuseFilled(tx)
    await tx.deleteFrom('setting').execute() // secrets that the new database was made with
    rows = 0
    for (const [table, key] of TABLES) {
      const copied = await copyTable(from, tx, table, key)
      if (table === 'generation') await fillInMachines(from, tx)
      rows += copied
      progress(table, copied)
    }
    await continueNumbers(tx)
    for (const [table, key] of TABLES) await compareTable(from, tx, table, key)
  })
  return { tables: EVERY_TABLE ? TABLES.length : 0, rows }
}

async function refuseFilled(to: Queries): Promise<void> {
  for (const [table] of TABLES) {
    if (table === 'setting') continue
    const row = await to
      .selectFrom(table)
      .select(sql<number>`1`.as('one'))
      .limit(1)
      .execute()
    if (row.length > 0) throw refusal('move_to_filled', { table })
  }
}

async function copyTable(
  from: Queries,
  to: Queries,
  table: Table,
  key: readonly string[],
): Promise<number> {
  let count = 0
  for await (const rows of pagesOf(from, table, key)) {
    const values = table === 'machine' ? rows.map(withoutReferences) : rows
    await insertAll(to, table, values)
    count += rows.length
  }
  return count
}

async function insertAll(to: Queries, table: Table, rows: readonly Row[]): Promise<void> {
  try {
    await to.insertInto(table).values(rows).execute()
  } catch (cause) {
    if (storeFault(cause) !== null || !(cause instanceof Error)) throw cause
    throw refusal('move_row_unfit', { table, said: cause.message }, { cause })
  }
}

/** All rows in the order of their key, some at a time. */
async function* pagesOf(
  queries: Queries,
  table: Table,
  key: readonly string[],
): AsyncGenerator<Row[]> {
  const turn = new Turn()
  const columns = sql.join(key.map((column) => sql.ref(column)))
  let after = sql<boolean>`TRUE`
  for (;;) {
    const { rows } = await sql<Row>`
      SELECT * FROM ${sql.table(table)} WHERE ${after} ORDER BY ${columns}
      LIMIT ${sql.lit(ROWS_AT_ONCE)}`.execute(queries)
    if (rows.length > 0) yield rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < ROWS_AT_ONCE) return
    after = sql<boolean>`(${columns}) > (${sql.join(key.map((column) => last[column]))})`
    await turn.passed()
  }
}

function withoutReferences(row: Row): Row {
  return { ...row, ...Object.fromEntries(FILLED_IN_LATER.map((column) => [column, null])) }
}

async function fillInMachines(from: Queries, to: Queries): Promise<void> {
  for await (const rows of pagesOf(from, 'machine', ['id']))
    for (const row of rows) {
      const references = Object.fromEntries(FILLED_IN_LATER.map((column) => [column, row[column]]))
      if (Object.values(references).every((value) => value === null)) continue
      await to.updateTable('machine').set(references).where('id', '=', String(row['id'])).execute()
    }
}

/** Rows that get their number from the database go on after the last one. SQLite does so by itself. */
async function continueNumbers(to: Queries): Promise<void> {
  if (!(to.getExecutor().adapter instanceof PostgresAdapter)) return
  for (const table of ['clients_xml_version', 'leftover'])
    await sql`
      SELECT setval(pg_get_serial_sequence(${table}, 'id'),
        (SELECT coalesce(max(id), 0) + 1 FROM ${sql.table(table)}), false)`.execute(to)
}

async function compareTable(
  from: Queries,
  to: Queries,
  table: Table,
  key: readonly string[],
): Promise<void> {
  const [before, after] = [await digestOf(from, table, key), await digestOf(to, table, key)]
  if (before === after) return
  throw refusal('move_table_differs', { table })
}

/** A hash over all rows, whatever order their columns have. */
async function digestOf(queries: Queries, table: Table, key: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for await (const rows of pagesOf(queries, table, key))
    for (const row of rows)
      hash.update(`${JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))}\n`)
  return hash.digest('hex')
}
