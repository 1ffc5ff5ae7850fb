import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { sqliteBlocks } from '../../../broker/store/migrations.js'
import { openStore } from '../../../broker/store/open.js'
import { fileOf, firstVersion, migrated, oldVersion, versionOf } from './old-files.js'

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

t.test('a site of version 8 keeps its devices, their keys and what they show', async (t) => {
  const path = fileOf(t)
  const database = oldVersion(path, 8)
  fillVersion8(database)
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
  fileIsWhole(t, path)
})

function fillVersion8(database: Database.Database): void {
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
}

function fileIsWhole(t: Test, path: string) {
  const after = new Database(path)
  t.same(after.pragma('foreign_key_check'), [])
  t.equal(after.pragma('integrity_check', { simple: true }), 'ok')
  after.close()
}
