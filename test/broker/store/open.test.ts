import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Kysely } from 'kysely'
import t, { type Test as T } from 'tap'
import { migrate, sqliteBlocks, sqliteMigrations } from '../../../broker/store/migrations.js'
import { openStore, type Queries } from '../../../broker/store/open.js'
import { FairSqliteDialect } from '../../../broker/store/sqlite-driver.js'
import type { Tables } from '../../../broker/store/tables.js'
import { afterCommit, inTransaction } from '../../../broker/store/transaction.js'

const fileOf = (t: T): string => join(t.testdir({}), 'berth.sqlite')
const versionOf = (path: string): number => {
  const database = new Database(path)
  const version = Number(database.pragma('user_version', { simple: true }))
  database.close()
  return version
}

/** As a Berth of that version left it: before there was a list of migrations in the file. */
function oldVersion(path: string, version: number): Database.Database {
  const database = new Database(path)
  database.pragma('foreign_keys = ON')
  for (const block of sqliteBlocks().slice(0, version))
    database.transaction(() => database.exec(block))()
  database.pragma(`user_version = ${version}`)
  return database
}

/** As the first released Berth left it. */
function firstVersion(path: string): void {
  const database = oldVersion(path, 1)
  database.exec("INSERT INTO setting (name, value) VALUES ('kept', 'yes')")
  database.close()
}

t.test('a new file gets the newest schema, and opening it again changes nothing', async (t) => {
  const path = fileOf(t)
  for (let time = 0; time < 2; time++) {
    const store = await openStore(path)
    t.same(await store.selectFrom('machine').selectAll().execute(), [])
    await store.destroy()
    t.equal(versionOf(path), sqliteBlocks().length)
  }
})

t.test('a file of version 1 is brought up to date and keeps what it holds', async (t) => {
  const path = fileOf(t)
  firstVersion(path)
  const store = await openStore(path)
  t.same(await store.selectFrom('setting').selectAll().where('name', '=', 'kept').execute(), [
    { name: 'kept', value: 'yes' },
  ])
  await store.destroy()
  t.equal(versionOf(path), sqliteBlocks().length)
})

t.test('a file brought up to date has the tables of a new one', async (t) => {
  const directory = t.testdir({})
  const [old, fresh] = [join(directory, 'old.sqlite'), join(directory, 'fresh.sqlite')]
  firstVersion(old)
  const schemas = []
  for (const path of [old, fresh]) {
    await (await openStore(path)).destroy()
    const database = new Database(path)
    schemas.push(database.prepare('SELECT name, sql FROM sqlite_schema ORDER BY name').all())
    database.close()
  }
  t.same(schemas[0], schemas[1])
})

t.test('a file of a newer Berth is refused with a sentence and stays as it is', async (t) => {
  const path = fileOf(t)
  await (await openStore(path)).destroy()
  const database = new Database(path)
  database.pragma('user_version = 999')
  database.close()
  await t.rejects(openStore(path), {
    name: 'BrokerError',
    message: `The database has schema version 999, this Berth knows ${sqliteBlocks().length}: start the newer Berth.`,
  })
  t.equal(versionOf(path), 999)
})

t.test('a damaged file is refused with a sentence that names it', async (t) => {
  const directory = t.testdir({})
  const good = join(directory, 'good.sqlite')
  const store = await openStore(good)
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
    await t.rejects(
      openStore(path),
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

/** Brings a file to the last of these blocks. */
async function migrated(path: string, blocks: readonly string[]): Promise<void> {
  const database = new Database(path)
  const prepared = { prepare: (text: string) => database.prepare(text), close: () => {} }
  const store = new Kysely<Tables>({
    dialect: new FairSqliteDialect({ database: prepared, raw: database, onWrite: () => {} }),
  })
  try {
    await migrate(store, sqliteMigrations(database, blocks))
  } finally {
    await store.destroy()
    database.close()
  }
}

t.test('a block that fails leaves the version and the tables of before', async (t) => {
  const path = fileOf(t)
  await migrated(path, ['CREATE TABLE a (x TEXT);'])
  const blocks = [
    'CREATE TABLE a (x TEXT);',
    'CREATE TABLE b (x TEXT); INSERT INTO b VALUES (1);',
    'CREATE TABLE c (x TEXT); CREATE TABLE a (again TEXT);',
  ]
  await t.rejects(migrated(path, blocks), /already exists/)
  t.equal(versionOf(path), 1)
  const database = new Database(path)
  t.same(
    database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'kysely_%'")
      .all(),
    [{ name: 'a' }],
  )
  database.close()
  await migrated(path, [...blocks.slice(0, 2), 'CREATE TABLE c (x TEXT);'])
  t.equal(versionOf(path), 3)
})

t.test('a file of every version so far is brought up to date', async (t) => {
  const directory = t.testdir({})
  for (let version = 1; version < sqliteBlocks().length; version++) {
    const path = join(directory, `v${version}.sqlite`)
    oldVersion(path, version).close()
    await (await openStore(path)).destroy()
    t.equal(versionOf(path), sqliteBlocks().length, `version ${version}`)
    const database = new Database(path)
    t.same(
      database.prepare('SELECT count(*) AS count FROM kysely_migration').get(),
      { count: sqliteBlocks().length },
      'and its list of migrations is whole',
    )
    t.same(database.pragma('foreign_key_check'), [])
    database.close()
  }
})

t.test(
  'writes of a transaction are told after its commit, and never when it is rolled back',
  async (t) => {
    const told: string[] = []
    const store = await openStore(':memory:', {
      onWrite: (table, kind) => {
        told.push(`${table} ${kind}`)
      },
    })
    told.length = 0 // the migrations' own list
  const write = async (tx: Queries, name: string): Promise<void> => {
      await tx.insertInto('setting').values({ name, value: '' }).execute()
    }
    await inTransaction(store, async (tx) => {
      await write(tx, 'one')
      await write(tx, 'two')
      afterCommit(tx, () => told.push('effect'))
      t.same(told, [], 'nothing before')
    })
    t.same(told, ['setting insert', 'effect'])
    told.length = 0
    await t.rejects(
      inTransaction(store, async (tx) => {
        await write(tx, 'three')
        afterCommit(tx, () => told.push('effect'))
        throw new Error('no')
      }),
    )
    t.same(told, [], 'nothing after a roll-back')
    afterCommit(store, () => told.push('at once'))
    t.same(told, ['at once'])
    await store.destroy()
  },
)

t.test('writes are told with their table, and only those that changed a row', async (t) => {
  const told: string[] = []
  const store = await openStore(':memory:', {
    onWrite: (table) => {
      told.push(table)
    },
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
      inTransaction(
        store,
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

t.test('a site of version 8 keeps its devices, their keys and what they show', async (t) => {
  const path = fileOf(t)
  const database = oldVersion(path, 8)
  database.exec(`
    INSERT INTO hypervisor (name, address, port, display_address, host_key_fingerprint,
        virt_type_setting, images_dir, overlays_dir, transient_dir, max_starts, created_at)
      VALUES ('hv1', '192.0.2.1', 22, '192.0.2.1', 'SHA256:x', 'kvm', '/i', '/o', '/t', 4, 1);
    INSERT INTO machine (id, name, type, hypervisor, memory_mib, vcpus, network, firmware, mac,
        serial, adopted, power_since, created_at)
      VALUES ('m1', 'pc-1', 'vdi', 'hv1', 1, 1, 'none', 'bios', '52:54:00:AA:00:01', 's1', 0, 1, 1),
             ('m2', 'pc-2', 'vdi', 'hv1', 1, 1, 'none', 'bios', '52:54:00:aa:00:01', 's2', 0, 1, 1),
             ('m3', 'old-vm', 'simple', 'hv1', 1, 1, 'none', 'bios', '', 's3', 1, 1, 1);
    INSERT INTO account (name, name_key, source, created_at) VALUES ('ann', 'ann', 'local', 1);
    INSERT INTO thin_client (id, mac, key_hash, accepted, address, hostname, version,
        assigned_machine_id, note, first_seen, last_seen)
      VALUES ('held', '52:54:00:00:00:01', 'hash', 1, '192.0.2.11', 'desk-1', '1', 'm1', 'noted', 5, 6),
             ('accepted', '52:54:00:00:00:02', NULL, 1, '192.0.2.12', 'desk-2', '1', NULL, '', 5, 6),
             ('waits', '52:54:00:00:00:03', NULL, 0, '192.0.2.13', 'desk-3', '1', NULL, '', 5, 6);
    INSERT INTO device_login (thin_client_id, account, since, seen_at, machine_id) VALUES ('held', 'ann', 7, 8, 'm1');
    INSERT INTO thin_client_order (id, thin_client_id, kind, text, seconds, ordered_by, state,
        sentence, created_at, expires_at)
      VALUES ('o1', 'held', 'message', 'Lunch', 0, 'admin', 'pending', '', 1, 2);
  `)
  database.close()
  const store = await openStore(path)
  const rows = await store.selectFrom('thin_client').selectAll().orderBy('id').execute()
  t.match(rows, [
    // Accepted, and its key is given at its next contact from where it stood.
    { id: 'accepted', accepted: 1, key_hash: null, key_shown: 0, accept_for: 'address:192.0.2.12' },
    {
      id: 'held',
      accepted: 1,
      key_hash: 'hash',
      key_shown: 1,
      accept_for: null,
      assigned_machine_id: 'm1',
      note: 'noted',
      first_seen: 5,
    },
    { id: 'waits', accepted: 0, key_hash: null, key_shown: 0, accept_for: null },
  ])
  t.match(await store.selectFrom('thin_client_mac').selectAll().orderBy('mac').execute(), [
    { thin_client_id: 'held', mac: '52:54:00:00:00:01', believed: 1 },
    { thin_client_id: 'accepted', mac: '52:54:00:00:00:02', believed: 1 },
    { thin_client_id: 'waits', mac: '52:54:00:00:00:03', believed: 0 },
  ])
  t.match(await store.selectFrom('device_login').selectAll().execute(), [
    { thin_client_id: 'held', account: 'ann', machine_id: 'm1' },
  ])
  t.match(await store.selectFrom('thin_client_order').selectAll().execute(), [
    { id: 'o1', thin_client_id: 'held', state: 'pending' },
  ])
  // Two with one MAC are what was there; the first one keeps it, and neither is lost.
  t.match(await store.selectFrom('machine_mac').selectAll().execute(), [
    { mac: '52:54:00:aa:00:01', machine_id: 'm1' },
  ])
  t.same(await store.selectFrom('machine').select(['name', 'unmarked']).orderBy('name').execute(), [
    { name: 'old-vm', unmarked: 0 },
    { name: 'pc-1', unmarked: 1 },
    { name: 'pc-2', unmarked: 1 },
  ])
  await store.destroy()
  const after = new Database(path)
  t.same(after.pragma('foreign_key_check'), [])
  t.equal(after.pragma('integrity_check', { simple: true }), 'ok')
  after.close()
})
