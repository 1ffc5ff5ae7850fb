import { join } from 'node:path'
import Database from 'better-sqlite3'
import { sql } from 'kysely'
import t from 'tap'
import { copyStore } from '../../../broker/store/move.js'
import { openStore, type Store } from '../../../broker/store/open.js'
import { PostgresqlServer } from '../../support/postgresql-server.js'

/** More than are copied at once. */
const ROWS = 450
const LISTS_OF_MIGRATIONS = /^kysely_/

const server = new PostgresqlServer().start()
t.teardown(() => {
  server.remove()
})

interface Column {
  readonly name: string
  readonly type: string
}

/**
 * Fills every table. Each text of a row is the same, so that whatever refers to something refers to
 * the row of that number; some columns that may be empty are.
 */
function fill(path: string): void {
  const database = new Database(path)
  database.pragma('foreign_keys = OFF')
  database.exec('DELETE FROM setting')
  for (const table of tablesOf(database)) {
    const columns = database.pragma(`table_info(${table})`) as Column[]
    const names = columns.map(({ name }) => `"${name}"`).join()
    const places = columns.map(() => '?').join()
    const insert = database.prepare(`INSERT INTO ${table} (${names}) VALUES (${places})`)
    database.transaction(() => {
      for (let number = 1; number <= ROWS; number++)
        insert.run(columns.map((column) => valueOf(column, number)))
    })()
  }
  t.same(database.pragma('foreign_key_check'), [], 'everything refers to something')
  database.close()
}

function valueOf({ name, type }: Column, number: number): string | number | null {
  if (number % 3 === 0 && /^(wanted_generation_id|parent_id|unclean|ends|scopes)$/.test(name))
    return null
  return type === 'INTEGER' ? 4_102_444_800_000 + number : `k${number} "ö\n' \\ \u{1F6A2}`
}

function tablesOf(database: Database.Database): string[] {
  const rows = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all() as Array<{ name: string }>
  return rows.map(({ name }) => name).filter((name) => !LISTS_OF_MIGRATIONS.test(name))
}

function contentOf(path: string): unknown {
  const database = new Database(path, { readonly: true })
  const content = tablesOf(database).map((table) => [
    table,
    database.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all(),
  ])
  database.close()
  return content
}

async function countIn(store: Store): Promise<number> {
  const tables = (await store.introspection.getTables()).filter(
    ({ name }) => !LISTS_OF_MIGRATIONS.test(name),
  )
  let count = 0
  for (const { name } of tables) {
    const { rows } = await sql<{ count: number }>`
      SELECT count(*) AS count FROM ${sql.table(name)}`.execute(store)
    count += rows[0]?.count ?? 0
  }
  return count
}

t.test('every row of every table goes to PostgreSQL and back as it was', async (t) => {
  const directory = t.testdir({})
  const [before, after] = [join(directory, 'before.sqlite'), join(directory, 'after.sqlite')]
  await (await openStore(before)).destroy()
  fill(before)
  const from = await openStore(before)
  const middle = await openStore(await server.create('middle'))
  const told: string[] = []
  const moved = await copyStore(from, middle, (table, rows) => told.push(`${table} ${rows}`))
  t.equal(moved.rows, moved.tables * ROWS)
  t.equal(told.length, moved.tables, 'each table is told')
  t.equal(await countIn(middle), moved.rows)
  const to = await openStore(after)
  t.same(await copyStore(middle, to, () => {}), moved)
  for (const store of [from, to]) await store.destroy()
  t.strictSame(contentOf(after), contentOf(before))
  const { id } = await middle
    .insertInto('clients_xml_version')
    .values({ at: 1, author: 'ann', etag: 'e', clients: 0, bytes: 0, text: '' })
    .returning('id')
    .executeTakeFirstOrThrow()
  t.equal(id, 4_102_444_800_000 + ROWS + 1, 'numbers go on after the last one')
  await middle.destroy()
})

t.test('into a database that holds something nothing is moved', async (t) => {
  const from = await openStore(':memory:')
  const to = await openStore(await server.create('held'))
  await to
    .insertInto('history_minute')
    .values({
      at: 1,
      sessions: 0,
      assigned: 0,
      waiting: 0,
      longest_wait_ms: 0,
      starts: 0,
      start_ms: '[]',
      waited_ms: '[]',
    })
    .execute()
  const before = await countIn(to)
  await t.rejects(
    copyStore(from, to, () => {}),
    { message: /^The database to move to is not empty \(it has rows in history_minute\)/ },
  )
  t.equal(await countIn(to), before)
  for (const store of [from, to]) await store.destroy()
})

t.test('what does not fit stops it, and nothing stays', async (t) => {
  const from = await openStore(':memory:')
  const to = await openStore(await server.create('unfit'))
  const before = await countIn(to)
  await from.insertInto('setting').values({ name: 'a', value: 'NUL \0 in it' }).execute()
  await t.rejects(
    copyStore(from, to, () => {}),
    {
      message:
        /^A row of setting does not fit into the other database \(.*\): nothing was moved\.$/,
    },
  )
  t.equal(await countIn(to), before)
  for (const store of [from, to]) await store.destroy()
})

t.test('both databases have the same tables, columns and indexes', async (t) => {
  const path = join(t.testdir({}), 'berth.sqlite')
  const stores = [await openStore(path), await openStore(await server.create('shape'))]
  const [ours, theirs] = await Promise.all(stores.map(shapeOf))
  t.same(theirs, ours)
  const database = new Database(path, { readonly: true })
  const indexes = database
    .prepare("SELECT name, sql AS text FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
    .all() as Index[]
  database.close()
  const others = await server.run<Index>(
    'shape',
    "SELECT indexname AS name, indexdef AS text FROM pg_indexes WHERE schemaname = 'public' " +
      "AND indexname !~ '_(pkey|key)$'",
  )
  t.same(others.map(columnsOf).sort(), indexes.map(columnsOf).sort())
  for (const store of stores) await store.destroy()
})

interface Index {
  readonly name: string
  readonly text: string
}

/** The name, and the text between the first parentheses. */
function columnsOf({ name, text }: Index): string {
  const columns = /\(([^)]*)\)/.exec(text)?.[1] ?? ''
  return `${name}: ${columns.replaceAll('"', '').replace(/\s+/g, ' ').trim()}`
}

async function shapeOf(store: Store): Promise<unknown> {
  return (await store.introspection.getTables())
    .filter(({ name }) => !LISTS_OF_MIGRATIONS.test(name))
    .map(({ name, columns }) => ({
      name,
      // SQLite lets a key be NULL, which none of ours is.
      columns: columns.map((column) => column.name).sort(),
      needed: columns
        .filter(({ isNullable, hasDefaultValue }) => !isNullable && !hasDefaultValue)
        .map((column) => column.name)
        .filter((column) => !/^(id|name|hash|mac|subject|at|machine_id|hypervisor)$/.test(column))
        .sort(),
    }))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
}
