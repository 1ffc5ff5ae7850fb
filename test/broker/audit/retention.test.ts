import t from 'tap'
import { pruneEvents } from '../../../broker/audit/retention.js'
import { verifyChain } from '../../../broker/audit/chain.js'
import { BERTH, recordEvent } from '../../../broker/audit/store.js'
import { pruneJobs } from '../../../broker/jobs/store.js'
import { openStore, type Store } from '../../../broker/store/open.js'
import { inTransaction } from '../../../broker/store/transaction.js'
import { emptyDatabase } from '../../support/database.js'

async function withEvents(count: number): Promise<Store> {
  const store = await openStore(await emptyDatabase())
  await inTransaction(store, async (tx) => {
    for (let number = 1; number <= count; number++)
      await recordEvent(tx, BERTH, 'state.rebuild', `event:${number}`)
  })
  return store
}

const idsOf = async (store: Store): Promise<number[]> =>
  (await store.selectFrom('event').select('id').orderBy('id').execute()).map(({ id }) => id)

t.test('old events go, and the chain of those that stay is still provable', async (t) => {
  const store = await withEvents(20)
  const { head } = await verifyChain(store)
  const limit = Date.now() + 1
  t.equal(await pruneEvents(store, limit), 20)
  t.same(await idsOf(store), [21], 'the event that says so stays')
  t.match(await verifyChain(store), { good: true, events: 1 })
  await recordEvent(store, BERTH, 'state.rebuild', 'event:after')
  t.match(await verifyChain(store), { good: true, events: 2, fault: null })
  t.match(await verifyChain(store, head?.hash), { good: false }, 'a head from before is gone too')
  t.equal(await pruneEvents(store, 0), 0)
  await store.destroy()
})

t.test('who cuts the log by hand is found out, whatever they write as the anchor', async (t) => {
  for (const anchor of [null, { id: 5, hash: 'x' }, 'true']) {
    const store = await withEvents(10)
    const fifth = await store
      .selectFrom('event')
      .select(['id', 'hash'])
      .where('id', '=', 5)
      .executeTakeFirstOrThrow()
    await store.deleteFrom('event').where('id', '<=', 5).execute()
    const value = JSON.stringify(anchor === 'true' ? fifth : anchor)
    if (anchor !== null)
      await store.insertInto('setting').values({ name: 'audit-anchor', value }).execute()
    t.match(await verifyChain(store), { good: false }, JSON.stringify(anchor))
    await store.destroy()
  }
})

t.test('many are removed in several transactions, and only those that are old', async (t) => {
  const store = await withEvents(12_000)
  await store.updateTable('event').set({ at: 1 }).where('id', '<=', 11_000).execute()
  t.equal(await pruneEvents(store, 1_000), 11_000)
  t.equal((await idsOf(store))[0], 11_001)
  await store.destroy()
})

t.test(
  'jobs that ended long ago go with their targets, steps and locks; others stay',
  async (t) => {
    const store = await openStore(await emptyDatabase())
    for (let number = 0; number < 500; number++) {
      const id = `j${number}`
      const finished_at = number < 450 ? 10 : number < 490 ? 2_000 : null
      await store
        .insertInto('job')
        .values({
          id,
          kind: 'power',
          subject: 'pc',
          state: finished_at === null ? 'running' : 'succeeded',
          input: '{}',
          created_by: 'admin',
          owner: null,
          lease_until: null,
          created_at: 1,
          started_at: 1,
          finished_at,
        })
        .execute()
      await store
        .insertInto('job_target')
        .values({ job_id: id, name: 'pc', position: 0, state: 'done' })
        .execute()
    }
    t.equal(await pruneJobs(store, 1_000), 450)
    t.equal((await store.selectFrom('job').select('id').execute()).length, 50)
    t.equal((await store.selectFrom('job_target').select('job_id').execute()).length, 50)
    await store.destroy()
  },
)
