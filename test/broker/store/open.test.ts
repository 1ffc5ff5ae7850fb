import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { sqliteBlocks } from '../../../broker/store/migrations.js'
import { openStore, type Queries, type Store } from '../../../broker/store/open.js'
import { afterCommit, inTransaction } from '../../../broker/store/transaction.js'
import { fileOf, versionOf } from './old-files.js'

t.test('a new file gets the newest schema, and opening it again changes nothing', async (t) => {
  const path = fileOf(t)
  for (let time = 0; time < 2; time++) {
    const store = await openStore(path)
    t.same(await store.selectFrom('machine').selectAll().execute(), [])
    await store.destroy()
    t.equal(versionOf(path), sqliteBlocks().length)
  }
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
  await updatesOfOneRow(t, during, store)
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

async function updatesOfOneRow(
  t: Test,
  during: (statement: Promise<unknown>) => Promise<string[]>,
  store: Store,
): Promise<void> {
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
}
