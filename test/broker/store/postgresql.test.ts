import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import t from 'tap'
import { BrokerError } from '../../../broker/errors/broker-error.js'
import { isStoreFault, storeFault } from '../../../broker/store/faults.js'
import { openStore, type Store } from '../../../broker/store/open.js'
import { durabilityFault } from '../../../broker/store/postgresql.js'
import { afterCommit, inTransaction } from '../../../broker/store/transaction.js'
import { PostgresqlServer } from '../../support/postgresql-server.js'
import { until } from '../../support/until.js'

const server = new PostgresqlServer().start()
t.teardown(() => {
  server.remove()
})

async function put(store: Store, name: string, value = ''): Promise<void> {
  await store.insertInto('setting').values({ name, value }).execute()
}
async function valueOf(store: Store, name: string): Promise<string | undefined> {
  const row = await store
    .selectFrom('setting')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirst()
  return row?.value
}

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

t.test(
  'a transaction that another one was in the way of is done again, its effects once',
  async (t) => {
    const url = await server.create('conflicts')
    const [one, other] = [await openStore(url), await openStore(url)]
    await put(one, 'count', '0')
    const effects: string[] = []
    let runs = 0
    // The first two have both read before one of them writes.
    let bothHaveRead = (): void => {}
    const met = new Promise<void>((resolve) => {
      bothHaveRead = resolve
    })
    const add = async (store: Store): Promise<void> => {
      await inTransaction(store, async (tx) => {
        runs += 1
        const row = await tx
          .selectFrom('setting')
          .select('value')
          .where('name', '=', 'count')
          .executeTakeFirstOrThrow()
        if (runs === 2) bothHaveRead()
        await met
        await tx
          .updateTable('setting')
          .set({ value: String(Number(row.value) + 1) })
          .where('name', '=', 'count')
          .execute()
        afterCommit(tx, () => effects.push('done'))
      })
    }
    for (let round = 0; round < 10; round++) await Promise.all([add(one), add(other)])
    t.equal(await valueOf(one, 'count'), '20', 'none was lost')
    t.equal(effects.length, 20)
    t.ok(runs > 20, `${runs} runs: some were repeated`)
    await one.destroy()
    await other.destroy()
  },
)

t.test('transactions of one store never meet, and a thousand at once are all done', async (t) => {
  const store = await openStore(await server.create('crowd'))
  await put(store, 'count', '0')
  let runs = 0
  await Promise.all(
    Array.from({ length: 1_000 }, async () => {
      await inTransaction(store, async (tx) => {
        runs += 1
        await tx
          .updateTable('setting')
          .set({ value: sql<string>`(value::INTEGER + 1)::TEXT` })
          .where('name', '=', 'count')
          .execute()
      })
    }),
  )
  t.equal(await valueOf(store, 'count'), '1000')
  t.equal(runs, 1_000)
  await store.destroy()
})

/** Statements that wait for a lock. */
async function waiting(): Promise<number> {
  return (await server.run('deadlock', 'SELECT 1 FROM pg_locks WHERE NOT granted')).length
}

t.test('a statement that a deadlock ended is done again', async (t) => {
  const store = await openStore(await server.create('deadlock'))
  for (const name of ['a', 'b']) await put(store, name)
  let tries = 0
  let hasFirst = (): void => {}
  const first = new Promise<void>((resolve) => {
    hasFirst = resolve
  })
  const slow = inTransaction(store, async (tx) => {
    tries += 1
    const touch = async (name: string): Promise<void> => {
      await tx.updateTable('setting').set({ value: 'tx' }).where('name', '=', name).execute()
    }
    await touch('a')
    hasFirst()
    // On another connection; both wait for each other then.
    await until(async () => (await waiting()) > 0, {
      withinMs: 10_000,
      what: 'the other one waits',
    })
    await touch('b')
  })
  await first
  // Takes b first and then waits for a.
  const alone = sql`
    WITH first AS (UPDATE setting SET value = 'alone' WHERE name = 'b' RETURNING name)
    UPDATE setting SET value = 'alone' WHERE name = 'a' AND EXISTS (SELECT 1 FROM first)`.execute(
    store,
  )
  await Promise.all([slow, alone])
  const deadlocks = async (): Promise<boolean> =>
    (
      await server.run(
        'postgres',
        "SELECT 1 FROM pg_stat_database WHERE datname = 'deadlock' AND deadlocks > 0",
      )
    ).length > 0
  await until(deadlocks, { withinMs: 15_000, what: 'the server has counted the deadlock' })
  t.ok(tries >= 1, 'and both were done in the end')
  t.ok(['tx', 'alone'].includes((await valueOf(store, 'a')) ?? ''))
  await store.destroy()
})

t.test('writes are told after their commit, and never when they are rolled back', async (t) => {
  const told: string[] = []
  const store = await openStore(await server.create('told'), {
    onWrite: (table, kind) => {
      told.push(`${table} ${kind}`)
    },
  })
  told.length = 0
  await inTransaction(store, async (tx) => {
    await tx.insertInto('setting').values({ name: 'x', value: '' }).execute()
    t.same(told, [])
  })
  t.same(told, ['setting insert'])
  await t.rejects(
    inTransaction(store, async (tx) => {
      await tx.deleteFrom('setting').execute()
      throw new Error('no')
    }),
  )
  t.same(told, ['setting insert'])
  await store.destroy()
})

t.test('a server that may lose what it has confirmed is named as such', async (t) => {
  const store = await openStore(await server.create('durable'))
  // The server of the tests is quick rather than safe.
  t.match(await durabilityFault(store), /^Off on the database server: fsync, full_page_writes;/)
  await store.destroy()
  const embedded = await openStore(':memory:')
  t.equal(await durabilityFault(embedded), null)
  await embedded.destroy()
})

t.test(
  'no connection is left in a transaction, and a full pool waits instead of failing',
  async (t) => {
    const store = await openStore(await server.create('pool'))
    await Promise.all(
      Array.from({ length: 300 }, async (_, number) => {
        if (number % 3 === 0)
          await t.rejects(
            inTransaction(store, async () => {
              throw new Error('no')
            }),
          )
        else await valueOf(store, `n${number}`)
      }),
    )
    const rows = await server.run(
      'pool',
      "SELECT 1 FROM pg_stat_activity WHERE datname = 'pool' AND state LIKE 'idle in transaction%'",
    )
    t.same(rows, [])
    await store.destroy()
  },
)
