import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { sql } from 'kysely'
import t from 'tap'
import { openStore } from '../../../broker/store/open.js'
import { inTransaction } from '../../../broker/store/transaction.js'
import { storeFault } from '../../../broker/store/faults.js'
import { until } from '../../support/until.js'

const directory = mkdtempSync(join(tmpdir(), 'berth-driver-'))
t.teardown(() => rmSync(directory, { recursive: true }))

t.test('those who ask are served in the order in which they asked', async (t) => {
  const store = await openStore(':memory:')
  const served: number[] = []
  await Promise.all(
    Array.from({ length: 3_000 }, async (_, number) => {
      await store.selectFrom('setting').selectAll().execute()
      served.push(number)
    }),
  )
  t.same(
    served,
    served.toSorted((a, b) => a - b),
  )
  await store.destroy()
})

t.test(
  'the event loop turns while thousands ask, inside and outside of transactions',
  async (t) => {
    const store = await openStore(':memory:')
    let turns = 0
    let isDone = false
    const counting = (async () => {
      while (!isDone) {
        await nextTurn()
        turns++
      }
    })()
    const before = turns
    await Promise.all([
      ...Array.from({ length: 4_000 }, () => store.selectFrom('setting').selectAll().execute()),
      ...Array.from({ length: 500 }, (_, number) =>
        inTransaction(store, (tx) =>
          tx
            .insertInto('setting')
            .values({ name: `n${number}`, value: '' })
            .execute(),
        ),
      ),
    ])
    isDone = true
    await counting
    t.ok(turns - before > 5, `it turned ${turns - before} times`)
    await store.destroy()
  },
)

t.test('a lock of another program is waited for, and the event loop turns meanwhile', async (t) => {
  const path = join(directory, 'locked.sqlite')
  const store = await openStore(path)
  const other = new Database(path)
  other.exec('begin immediate')
  let turns = 0
  const timer = setInterval(() => turns++, 5)
  const writes = [1, 2, 3].map((number) =>
    inTransaction(store, async (tx) => {
      await tx
        .insertInto('setting')
        .values({ name: `w${number}`, value: '' })
        .execute()
    }),
  )
  await until(() => turns >= 10, { withinMs: 5_000, what: 'timers run' })
  other.exec('rollback')
  await Promise.all(writes)
  clearInterval(timer)
  const { count } = await store
    .selectFrom('setting')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('name', 'like', 'w_')
    .executeTakeFirstOrThrow()
  t.equal(count, 3)
  other.close()
  await store.destroy()
})

t.test('a lock that lasts is told to all who wait, once the first has waited', async (t) => {
  const path = join(directory, 'long.sqlite')
  const store = await openStore(path)
  const other = new Database(path)
  other.exec('begin immediate')
  const startMs = performance.now()
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, number) =>
      store
        .insertInto('setting')
        .values({ name: `l${number}`, value: '' })
        .execute(),
    ),
  )
  const tookMs = performance.now() - startMs
  t.same(
    new Set(results.map((one) => one.status === 'rejected' && storeFault(one.reason)?.code)),
    new Set(['store_busy']),
  )
  t.ok(
    tookMs < 20_000,
    `all were told after ${Math.round(tookMs)} ms, not one patience after another`,
  )
  other.exec('rollback')
  await store.insertInto('setting').values({ name: 'after', value: '' }).execute()
  other.close()
  await store.destroy()
})

t.test(
  'a full database tells so, undoes what was begun, and goes on when there is room',
  async (t) => {
    const path = join(directory, 'full.sqlite')
    const store = await openStore(path)
    const other = new Database(path)
    const pages = other.pragma('page_count', { simple: true }) as number
    await store.connection().execute(async (db) => {
      await sql`pragma max_page_count = ${sql.raw(String(pages))}`.execute(db)
    })
    const fill = inTransaction(store, async (tx) => {
      for (let number = 0; number < 200; number++)
        await tx
          .insertInto('setting')
          .values({ name: `full${number}`, value: 'x'.repeat(2_000) })
          .execute()
    })
    const error = await fill.then(
      () => null,
      (thrown: unknown) => thrown,
    )
    t.equal(
      storeFault(error)?.code,
      'store_full',
      'the first error is told, not that of the roll-back',
    )
    t.same(
      await store.selectFrom('setting').select('name').where('name', 'like', 'full%').execute(),
      [],
    )
    await store.connection().execute(async (db) => {
      await sql`pragma max_page_count = 1000000`.execute(db)
    })
    await store.insertInto('setting').values({ name: 'full-after', value: '' }).execute()
    other.close()
    await store.destroy()
  },
)

t.test('a database that may not be written tells so, and goes on when it may', async (t) => {
  const store = await openStore(join(directory, 'read-only.sqlite'))
  const write = (): Promise<unknown> =>
    inTransaction(store, (tx) =>
      tx.insertInto('setting').values({ name: 'ro', value: '' }).execute(),
    )
  await sql`pragma query_only = on`.execute(store)
  t.equal(storeFault(await write().catch((error: unknown) => error))?.code, 'store_unwritable')
  t.ok(await store.selectFrom('setting').selectAll().execute(), 'reading goes on')
  await sql`pragma query_only = off`.execute(store)
  await write()
  await store.destroy()
})

t.test('faults of the database have codes; refusals of a statement are none', async (t) => {
  const codes: Readonly<Record<string, string | undefined>> = {
    SQLITE_BUSY: 'store_busy',
    SQLITE_BUSY_SNAPSHOT: 'store_busy',
    SQLITE_FULL: 'store_full',
    SQLITE_READONLY: 'store_unwritable',
    SQLITE_IOERR_WRITE: 'store_unwritable',
    SQLITE_CONSTRAINT_UNIQUE: undefined,
  }
  for (const [sqlite, code] of Object.entries(codes))
    t.equal(storeFault(new Database.SqliteError('x', sqlite))?.code, code, sqlite)
  t.equal(storeFault(new Error('x')), null)
})
