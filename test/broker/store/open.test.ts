import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test as T } from 'tap'
import { migrate, openStore, schemaBlocks } from '../../../broker/store/open.js'

const fileOf = (t: T): string => join(t.testdir({}), 'berth.sqlite')
const versionOf = (path: string): number => {
  const database = new Database(path)
  const version = Number(database.pragma('user_version', { simple: true }))
  database.close()
  return version
}

/** As the first released Berth left it. */
function firstVersion(path: string): void {
  const database = new Database(path)
  migrate(database, schemaBlocks().slice(0, 1))
  database.exec("INSERT INTO setting (name, value) VALUES ('kept', 'yes')")
  database.close()
}

t.test('a new file gets the newest schema, and opening it again changes nothing', async (t) => {
  const path = fileOf(t)
  for (let time = 0; time < 2; time++) {
    const store = openStore(path)
    t.same(await store.selectFrom('machine').selectAll().execute(), [])
    await store.destroy()
    t.equal(versionOf(path), schemaBlocks().length)
  }
})

t.test('a file of version 1 is brought up to date and keeps what it holds', async (t) => {
  const path = fileOf(t)
  firstVersion(path)
  const store = openStore(path)
  t.same(await store.selectFrom('setting').selectAll().where('name', '=', 'kept').execute(), [
    { name: 'kept', value: 'yes' },
  ])
  await store.destroy()
  t.equal(versionOf(path), schemaBlocks().length)
})

t.test('a file brought up to date has the tables of a new one', async (t) => {
  const directory = t.testdir({})
  const [old, fresh] = [join(directory, 'old.sqlite'), join(directory, 'fresh.sqlite')]
  firstVersion(old)
  const schemas = []
  for (const path of [old, fresh]) {
    await openStore(path).destroy()
    const database = new Database(path)
    schemas.push(database.prepare('SELECT name, sql FROM sqlite_schema ORDER BY name').all())
    database.close()
  }
  t.same(schemas[0], schemas[1])
})

t.test('a file of a newer Berth is refused with a sentence and stays as it is', async (t) => {
  const path = fileOf(t)
  await openStore(path).destroy()
  const database = new Database(path)
  database.pragma('user_version = 999')
  database.close()
  t.throws(() => openStore(path), {
    name: 'BrokerError',
    message: `The database has schema version 999, this Berth knows ${schemaBlocks().length}: start the newer Berth.`,
  })
  t.equal(versionOf(path), 999)
})

t.test('a damaged file is refused with a sentence that names it', async (t) => {
  const directory = t.testdir({})
  const good = join(directory, 'good.sqlite')
  const store = openStore(good)
  for (let number = 0; number < 500; number++)
    await store
      .insertInto('setting')
      .values({ name: `n${number}`, value: 'x'.repeat(200) })
      .execute()
  await store.destroy()
  const damages: Readonly<Record<string, (path: string) => void>> = {
    'no database at all': (path) => {
      writeFileSync(path, 'This is a letter to my aunt. '.repeat(200))
    },
    'cut in the middle': (path) => {
      truncateSync(path, Math.floor(readFileSync(path).length / 2))
    },
    'overwritten pages': (path) => {
      writeFileSync(path, readFileSync(path).fill(0xa5, 8_192, 65_536))
    },
  }
  for (const [what, damage] of Object.entries(damages)) {
    const path = join(directory, `${what.replaceAll(' ', '-')}.sqlite`)
    copyFileSync(good, path)
    damage(path)
    t.throws(
      () => openStore(path),
      {
        name: 'BrokerError',
        message: new RegExp(
          `^The database ${path} is damaged \\(.+\\): restore it from a backup\\.$`,
        ),
      },
      what,
    )
  }
})

t.test('a block that fails leaves the version and the tables of the one before', async (t) => {
  const path = fileOf(t)
  const database = new Database(path)
  const blocks = [
    'CREATE TABLE a (x TEXT);',
    'CREATE TABLE b (x TEXT); INSERT INTO b VALUES (1); CREATE TABLE a (again TEXT);',
    'CREATE TABLE c (x TEXT);',
  ]
  t.throws(() => {
    migrate(database, blocks)
  }, /already exists/)
  t.equal(Number(database.pragma('user_version', { simple: true })), 1)
  t.same(database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all(), [
    { name: 'a' },
  ])
  migrate(database, [
    'CREATE TABLE a (x TEXT);',
    'CREATE TABLE b (x TEXT);',
    'CREATE TABLE c (x TEXT);',
  ])
  t.equal(Number(database.pragma('user_version', { simple: true })), 3)
  database.close()
})

t.test('writes are told with their table, and only those that changed a row', async (t) => {
  const told: string[] = []
  const store = openStore(':memory:', (table) => {
    told.push(table)
  })
  const during = async (statement: Promise<unknown>): Promise<string[]> => {
    told.length = 0
    await statement
    return [...told]
  }
  const row = { name: 'one', value: '1' }
  t.same(await during(store.insertInto('setting').values(row).execute()), ['setting'])
  t.same(
    await during(
      store
        .insertInto('setting')
        .values(row)
        .onConflict((oc) => oc.doNothing())
        .execute(),
    ),
    [],
    'it was there',
  )
  t.same(await during(store.selectFrom('setting').selectAll().execute()), [])
  t.same(
    await during(
      store.updateTable('setting').set({ value: '2' }).where('name', '=', 'one').execute(),
    ),
    ['setting'],
  )
  t.same(
    await during(
      store.updateTable('setting').set({ value: '2' }).where('name', '=', 'two').execute(),
    ),
    [],
  )
  t.same(
    await during(
      store
        .updateTable('setting')
        .set({ value: '3' })
        .where('name', '=', 'one')
        .returningAll()
        .execute(),
    ),
    ['setting'],
  )
  t.same(
    await during(
      store
        .updateTable('setting')
        .set({ value: '3' })
        .where('name', '=', 'two')
        .returningAll()
        .execute(),
    ),
    [],
  )
  t.same(
    await during(
      store
        .transaction()
        .execute(
          async (tx) => await tx.insertInto('setting').values({ name: 'two', value: '' }).execute(),
        ),
    ),
    ['setting'],
  )
  t.same(await during(store.deleteFrom('setting').where('name', '=', 'three').execute()), [])
  t.same(await during(store.deleteFrom('setting').where('name', '=', 'one').execute()), ['setting'])
  await t.rejects(store.insertInto('setting').values({ name: 'two', value: '' }).execute())
  await store.destroy()
})
