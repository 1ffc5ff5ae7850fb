import { sql } from 'kysely'
import t from 'tap'
import { openStore, type Store } from '../../../broker/store/open.js'
import { afterCommit, inTransaction } from '../../../broker/store/transaction.js'
import { until } from '../../support/until.js'
import { put, server, valueOf } from './own-postgresql.js'

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
