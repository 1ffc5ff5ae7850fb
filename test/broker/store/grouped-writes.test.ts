import { sql } from 'kysely'
import t from 'tap'
import { storeFault } from '../../../broker/store/faults.js'
import { GroupedWrites } from '../../../broker/store/grouped-writes.js'
import { openStore, type Queries, type Store } from '../../../broker/store/open.js'
import { emptyDatabase } from '../../support/database.js'

async function put(queries: Queries, name: string): Promise<string> {
  await queries.insertInto('setting').values({ name, value: name }).execute()
  return name
}

async function names(store: Store): Promise<string[]> {
  const rows = await store
    .selectFrom('setting')
    .select('name')
    .where('name', 'like', 'x%')
    .orderBy('name')
    .execute()
  return rows.map(({ name }) => name)
}

/** A store that counts its transactions. */
function counting(store: Store): { store: Store; count: () => number } {
  let transactions = 0
  const counted = new Proxy(store, {
    get: (target, name) => {
      if (name === 'transaction') transactions += 1
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return { store: counted, count: () => transactions }
}

t.test('what comes at once shares a few transactions, and each has its own result', async (t) => {
  const { store, count } = counting(await openStore(await emptyDatabase()))
  t.teardown(async () => {
    await store.destroy()
  })
  const writes = new GroupedWrites(store)
  const wanted = Array.from({ length: 100 }, (_, index) => `x${String(index).padStart(3, '0')}`)
  t.same(await Promise.all(wanted.map((name) => writes.write((tx) => put(tx, name)))), wanted)
  t.same(await names(store), wanted)
  t.ok(count() <= 5, `${count()} transactions`)
})

t.test('one that fails takes back what it did, and the others stay', async (t) => {
  const store = await openStore(await emptyDatabase())
  t.teardown(async () => {
    await store.destroy()
  })
  const writes = new GroupedWrites(store)
  const outcomes = await Promise.allSettled([
    writes.write((tx) => put(tx, 'x1')),
    writes.write(async (tx) => {
      await put(tx, 'x2')
      throw new Error('it changed its mind')
    }),
    writes.write((tx) => put(tx, 'x1')),
    writes.write((tx) => put(tx, 'x4')),
  ])
  t.same(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  )
  t.same(await names(store), ['x1', 'x4'])
  t.equal(await writes.write((tx) => put(tx, 'x5')), 'x5')
})

t.test('where nothing can be committed, all hear of it, and later ones are tried', async (t) => {
  const store = await openStore(await emptyDatabase())
  t.teardown(async () => {
    await store.destroy()
  })
  let broken = true
  const fragile = new Proxy(store, {
    get: (target, name) => {
      if (name === 'transaction' && broken) throw new Error('the disk is full')
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const writes = new GroupedWrites(fragile)
  const lost = await Promise.allSettled(
    ['x1', 'x2'].map((name) => writes.write((tx) => put(tx, name))),
  )
  t.ok(lost.every(({ status }) => status === 'rejected'))
  broken = false
  t.equal(await writes.write((tx) => put(tx, 'x3')), 'x3')
  t.same(await names(store), ['x3'])
})

t.test('where there is no room, each hears just that, and what had its answer stays', async (t) => {
  const store = await openStore(await emptyDatabase())
  t.teardown(async () => {
    await store.destroy()
  })
  const writes = new GroupedWrites(store)
  const most = async (pages: number): Promise<void> => {
    await sql`PRAGMA max_page_count = ${sql.lit(pages)}`.execute(store)
  }
  const { rows } = await sql<{ page_count: number }>`PRAGMA page_count`.execute(store)
  await most((rows[0]?.page_count ?? 0) + 4)
  const large = Array.from({ length: 100 }, (_, index) => `x${index}-${'y'.repeat(1_000)}`)
  const outcomes = await Promise.allSettled(
    large.map((name) => writes.write((tx) => put(tx, name))),
  )
  const lost = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  t.ok(lost.length > 0)
  t.same([...new Set(lost.map((reason) => storeFault(reason)?.code))], ['store_full'])
  const kept = large.filter((_, index) => outcomes[index]?.status === 'fulfilled')
  t.same(await names(store), kept.sort(), 'what was told to be there is, and nothing else')
  await most(100_000)
  t.equal(await writes.write((tx) => put(tx, 'x-later')), 'x-later')
})
