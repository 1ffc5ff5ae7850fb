import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BrokerError } from '../../../broker/errors/broker-error.js'
import { isStoreFault, storeFault } from '../../../broker/store/faults.js'
import { openStore, type Store } from '../../../broker/store/open.js'
import { durabilityFault } from '../../../broker/store/postgresql.js'
import { inTransaction } from '../../../broker/store/transaction.js'
import { until } from '../../support/until.js'
import { put, server, valueOf } from './own-postgresql.js'

t.test('a new database gets the newest schema, and opening it again changes nothing', async (t) => {
  const url = await server.create('fresh')
  for (let time = 0; time < 2; time++) {
    const store = await openStore(url)
    t.same(await store.selectFrom('machine').selectAll().execute(), [])
    t.match(await valueOf(store, 'known-browsers'), /^[0-9a-f]{64}$/)
    await store.destroy()
  }
  const secrets = await server.run('fresh', 'SELECT DISTINCT value FROM setting')
  t.equal(secrets.length, 2, 'each secret is another')
})

t.test('what cannot be used is refused with one sentence', async (t) => {
  const locale = await server.create('german', "LOCALE 'C.UTF-8' TEMPLATE template0")
  await t.rejects(openStore(locale), {
    message:
      /^The database german at .* has encoding UTF8 and locale C\.UTF-8: create it with ENCODING/,
  })
  const icu = await server.create(
    'icu',
    "LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'en' TEMPLATE template0",
  )
  await t.rejects(openStore(icu), {
    message: /has encoding UTF8 and locale of ICU: create it with/,
  })
  await server.run('postgres', 'CREATE ROLE guest LOGIN')
  const url = await server.create('newer')
  await (await openStore(url)).destroy()
  await server.run('newer', "INSERT INTO kysely_migration VALUES ('999', '')")
  const cases: ReadonlyArray<readonly [string, RegExp]> = [
    [
      server.urlOf('none'),
      /^The database none at \/.* cannot be used \(database "none" does not exist\)/,
    ],
    [
      'postgresql://127.0.0.1:1/berth',
      /^The database berth at 127\.0\.0\.1:1 cannot be used \(.*ECONNREFUSED/,
    ],
    [
      await server.create('guests').then(() => server.urlOf('guests', 'guest')),
      /^The database guests at .*permission denied/,
    ],
    [url, /^The database has schema version 999, this Berth knows \d+: start the newer Berth\.$/],
  ]
  for (const [place, message] of cases)
    await t.rejects(openStore(place), { name: 'BrokerError', message }, place)
})

t.test('the password comes from a file, each time', async (t) => {
  await server.run('postgres', "CREATE ROLE clerk LOGIN PASSWORD 'quite secret'")
  server.askForPassword('clerk')
  await server.run('postgres', 'SELECT pg_reload_conf()')
  await server.create('clerks', 'OWNER clerk')
  const file = join(t.testdir({}), 'password')
  writeFileSync(file, 'quite secret\n')
  const store = await openStore(server.urlOf('clerks', 'clerk'), { passwordFile: file })
  t.equal(await valueOf(store, 'nothing'), undefined)
  await store.destroy()
  await t.rejects(openStore(server.urlOf('clerks', 'clerk'), { passwordFile: `${file}-none` }), {
    message: /cannot be used \(ENOENT/,
  })
})

t.test('one broker at a time has it, and a lost lock is taken again', async (t) => {
  const url = await server.create('one')
  const store = await openStore(url, { exclusive: true })
  await t.rejects(openStore(url, { exclusive: true }), {
    message: /^Another broker works with this database: stop it first/,
  })
  await server.run(
    'one',
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()',
  )
  await until(async () => (await put(store, 'after')) === undefined, {
    withinMs: 5_000,
    what: 'it writes again',
  })
  await t.rejects(openStore(url, { exclusive: true }), /Another broker/, 'and has the lock')
  await store.destroy()
  await (await openStore(url, { exclusive: true })).destroy()
})

/** A broker's store whose lock was just lost; `ends` counts how often that was told. */
async function withoutItsLock(
  name: string,
): Promise<{ url: string; store: Store; ends: () => number }> {
  const url = await server.create(name)
  let ends = 0
  const store = await openStore(url, {
    exclusive: true,
    onLost: () => {
      ends += 1
    },
  })
  await server.run(
    name,
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'",
  )
  return { url, store, ends: () => ends }
}

t.test('a broker that has lost the lock to another one is over for good', async (t) => {
  const { url, store, ends } = await withoutItsLock('lost')
  let other: Store | undefined
  await until(async () => (other = await openStore(url, { exclusive: true })), {
    withinMs: 5_000,
    what: 'another broker has it',
  })
  await t.rejects(put(store, 'too late'), /Another broker works with this database/)
  t.equal(other && (await valueOf(other, 'too late')), undefined)
  await other?.destroy()
  await t.rejects(put(store, 'later still'), /Another broker/, 'also when that one has ended')
  t.equal(ends(), 1, 'it is told once')
  await store.destroy()
})

t.test('what another broker did meanwhile is seen, though it has ended again', async (t) => {
  const { url, store, ends } = await withoutItsLock('meanwhile')
  await until(async () => (await openStore(url, { exclusive: true })).destroy().then(() => true), {
    withinMs: 5_000,
    what: 'another broker had it',
  })
  await t.rejects(put(store, 'too late'), /Another broker/)
  t.equal(ends(), 1)
  await store.destroy()
})

t.test('a server that hangs is given up, and used again when it goes on', async (t) => {
  const store = await openStore(await server.create('hangs'), { exclusive: true })
  await put(store, 'before')
  const processes = [...server.processes()]
  for (const pid of processes) process.kill(pid, 'SIGSTOP')
  const startMs = performance.now()
  const failures = await Promise.all(
    [
      put(store, 'alone'), // on the connection that is there
      valueOf(store, 'before'),
      ...Array.from({ length: 20 }, async (_, number) => {
        await inTransaction(store, async (tx) => {
          await tx
            .insertInto('setting')
            .values({ name: `tx ${number}`, value: '' })
            .execute()
        })
      }),
    ].map(async (work) => await work.then(() => 'done', storeFault)),
  )
  const seconds = (performance.now() - startMs) / 1_000
  for (const pid of processes) process.kill(pid, 'SIGCONT')
  t.ok(seconds < 30, `all ended after ${seconds.toFixed(1)} s`)
  t.match(failures[1], { code: 'store_unwritable', statusCode: 503 })
  t.match(failures[0], {
    message: /^It is not known whether this was done: the database did not answer/,
  })
  t.ok(
    failures.slice(2).every((one) => one instanceof BrokerError && /^store_/.test(one.code)),
    'each transaction failed as such',
  )
  await until(async () => (await put(store, 'after')) === undefined, {
    withinMs: 20_000,
    what: 'it writes again',
  })
  const rows = await store
    .selectFrom('setting')
    .select('name')
    .where('name', 'like', 'tx %')
    .execute()
  t.same(rows, [], 'what was refused was not done')
  await store.destroy()
})

t.test(
  'a server that is away is a fault of the store, and is used again when it is back',
  async (t) => {
    const store = await openStore(await server.create('away'), { exclusive: true })
    await put(store, 'before')
    server.stop()
    const refused = await put(store, 'during').catch((error: unknown) => error)
    t.ok(isStoreFault(refused), String(refused))
    t.match(storeFault(refused), { code: 'store_unwritable', statusCode: 503 })
    const inside = await inTransaction(store, async (tx) => {
      await tx.insertInto('setting').values({ name: 'in it', value: '' }).execute()
    }).catch((error: unknown) => error)
    t.ok(isStoreFault(inside), 'of a transaction, too')
    server.start()
    await until(async () => (await put(store, 'after')) === undefined, {
      withinMs: 10_000,
      what: 'it writes again',
    })
    t.equal(await valueOf(store, 'before'), '')
    t.equal(await valueOf(store, 'in it'), undefined)
    await store.destroy()
  },
)

t.test('a server that may lose what it has confirmed is named as such', async (t) => {
  const store = await openStore(await server.create('durable'))
  // The server of the tests is quick rather than safe.
  t.match(await durabilityFault(store), /^Off on the database server: fsync, full_page_writes;/)
  await store.destroy()
  const embedded = await openStore(':memory:')
  t.equal(await durabilityFault(embedded), null)
  await embedded.destroy()
})
