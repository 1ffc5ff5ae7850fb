import t, { type Test } from 'tap'
import type { Pool, PoolDetail } from '../../../broker/api/pools.js'
import { addPerson, allow } from '../../support/people.js'
import { office, poolOf } from './office.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import type { ApiClient } from '../../support/api-client.js'

t.test(
  'a person sees whether a desktop is free for him, and of the rest nothing; who looks after a pool sees it whole',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    await poolOf(broker, 'p', 3)
    await poolOf(broker, 'q', 1)
    const [ann, bob, desk] = [
      await addPerson(broker, 'ann'),
      await addPerson(broker, 'bob'),
      await addPerson(broker, 'desk'),
    ]
    for (const name of ['ann', 'bob'])
      await allow(broker, name, ['start', 'accessConsole'], 'p', 'pool')
    await allow(broker, 'desk', ['assign'], 'p', 'pool')
    const see = async (who: typeof ann): Promise<Pool> => {
      const { pools } = await who.get<{ pools: Pool[] }>('/pools')
      t.equal(pools.length, 1, 'q he does not see')
      t.same(pools[0], (await who.get<PoolDetail>('/pools/p')).pool, 'one by one it is the same')
      return pools[0] as Pool
    }
    t.match(await see(ann), {
      name: 'p',
      whole: false,
      initial: null,
      generations: [],
      job: null,
      counts: { free: 3 },
      forYou: { state: 'free', machine: null },
    })
    await ann.post('/pools/p/claim')
    t.match(await see(ann), { counts: { free: 2 }, forYou: { state: 'yours', machine: 'p-1' } })
    t.same(Object.keys((await see(bob)).counts), ['free'])
    t.match(await see(desk), {
      whole: true,
      initial: 'p-golden',
      counts: { free: 2, assigned: 1 },
      generations: [{ generation: 'g1', members: 3 }],
      forYou: null,
    })
    await seenWhole(t, broker)
    await fullThenInMaintenance(t, broker, see, bob, ann)
  },
)

async function fullThenInMaintenance(
  t: Test,
  broker: SimulatedBroker,
  see: (who: ApiClient) => Promise<Pool>,
  bob: ApiClient,
  ann: ApiClient,
): Promise<void> {
  for (const user of ['x', 'y']) await broker.admin.post('/pools/p/assign', { user })
  t.match(await see(bob), { counts: { free: 0 }, waiting: 0, forYou: { state: 'full' } })
  await broker.admin.patch('/pools/p', { policy: { max: 5 } })
  t.match(await see(bob), { forYou: { state: 'free' } }, 'one is made for him')
  await broker.admin.put('/pools/p/maintenance', { on: true, reason: 'new memory' })
  t.match(await see(bob), {
    maintenance: true,
    maintenanceReason: 'new memory',
    forYou: { state: 'maintenance' },
  })
  t.match(await see(ann), { forYou: { state: 'yours', machine: 'p-1' } })
}

async function seenWhole(t: Test, broker: SimulatedBroker): Promise<void> {
  t.match((await broker.admin.get<{ pools: Pool[] }>('/pools')).pools, [
    { name: 'p', whole: true, forYou: { state: 'free' } },
    { name: 'q', whole: true },
  ])
  t.match(
    (
      await (
        await addPerson(broker, 'watch', { roles: ['observer'] })
      ).get<{ pools: Pool[] }>('/pools')
    ).pools,
    [{ whole: true, forYou: null }, { whole: true }],
  )
}
