import t, { type Test } from 'tap'
import type { Offer } from '../../../broker/api/offers.js'
import { median } from '../../../broker/assignments/start-times.js'
import { ApiClient } from '../../support/api-client.js'
import { allow } from '../../support/people.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { office, poolOf } from '../pools/office.js'

t.setTimeout(240_000)

const PASSWORD = 'correct horse battery'

async function person(broker: SimulatedBroker, name: string): Promise<ApiClient> {
  await broker.admin.post('/users', { name, password: PASSWORD })
  const { token } = await broker.anybody.post<{ token: string }>('/login', {
    name,
    password: PASSWORD,
  })
  return new ApiClient(broker.url, broker.ca, token)
}

async function offersOf(client: ApiClient): Promise<Offer[]> {
  return (await client.get<{ offers: Offer[] }>('/desktops/offers')).offers
}

t.test('the median', async (t) => {
  t.equal(median([]), null)
  t.equal(median([5]), 5)
  t.equal(median([9, 1, 4]), 4)
  t.equal(median([9, 1, 4, 2]), 2)
})

t.test('what a person may use, and nothing else', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'desks', 2, { protocols: ['spice'] })
  await poolOf(broker, 'secret', 1)
  await broker.admin.done('/machines', {
    name: 'pc-{n}',
    type: 'simple',
    count: 2,
    hypervisors: ['hv1'],
  })
  const [alice, bob, eve] = [
    await person(broker, 'alice'),
    await person(broker, 'bob'),
    await person(broker, 'eve'),
  ]
  for (const name of ['alice', 'bob', 'eve'])
    await allow(broker, name, ['start', 'accessConsole', 'extend'], 'desks', 'pool')
  await allow(broker, 'alice', ['accessConsole'], 'pc-1', 'machine')

  await beforeAnyClaim(t, alice, broker)

  await alice.post('/pools/desks/claim', { waitMs: 20_000 })
  const [hers] = await offersOf(alice)
  t.match(hers, {
    name: 'desks',
    state: 'yours',
    desktop: { machine: /^desks-/, phase: 'ready' },
    step: null,
    takenFor: null,
    connected: [],
    queue: null,
  })
  t.same(
    [...(hers?.verbs ?? [])].sort(),
    ['accessConsole', 'extend', 'start'],
    'release is not among them',
  )
  t.equal(
    typeof (
      await until(
        async () => {
          const [offer] = await offersOf(bob)
          return offer?.startMs == null ? null : offer
        },
        { withinMs: 30_000, everyMs: 500, what: 'the start is counted' },
      )
    ).startMs,
    'number',
  )

  await fullAndQueued(t, bob, eve)
  await takenForADrain(t, broker, hers, alice, eve)
})

async function fullAndQueued(t: Test, bob: ApiClient, eve: ApiClient): Promise<void> {
  await bob.post('/pools/desks/claim', { waitMs: 20_000 })
  await eve.post('/pools/desks/claim', { wait: true })
  t.match((await offersOf(eve))[0], {
    state: 'full',
    free: 0,
    waiting: 1,
    queue: { place: 1 },
    desktop: null,
  })
  await eve.delete('/pools/desks/claim')
  t.match((await offersOf(eve))[0], { waiting: 0, queue: null })
}

async function beforeAnyClaim(t: Test, alice: ApiClient, broker: SimulatedBroker): Promise<void> {
  t.match(
    (await offersOf(alice)).map(({ kind, name, state, own, free, image }) => ({
      kind,
      name,
      state,
      own,
      free,
      image,
    })),
    [
      // What it is made from is not theirs to know.
      { kind: 'pool', name: 'desks', state: 'free', own: true, free: 2, image: null },
      { kind: 'machine', name: 'pc-1', state: 'free', own: true, free: null, image: null },
    ],
  )
  const all = await offersOf(broker.admin)
  t.match(all[0], { name: 'desks', image: 'golden-desktop' })
  t.same(
    all.map(({ name, own }) => [name, own]),
    [
      ['desks', false],
      ['pc-1', false],
      ['pc-2', false],
      ['secret', false],
    ],
    'an administrator may all, and none of it was given to him',
  )
}

async function takenForADrain(
  t: Test,
  broker: SimulatedBroker,
  hers: Offer | undefined,
  alice: ApiClient,
  eve: ApiClient,
): Promise<void> {
  const { hypervisor } = await broker.admin.get<{ hypervisor: string }>(
    `/machines/${hers?.desktop?.machine ?? ''}`,
  )
  await broker.admin.post(`/hypervisors/${hypervisor}/drain`, { deadline: 'PT10M' })
  await until(async () => (await offersOf(alice))[0]?.takenFor === 'drain', {
    withinMs: 10_000,
    what: 'she is told why it is taken',
  })
  await broker.admin.put(`/hypervisors/${hypervisor}/maintenance`, { on: false })
  t.match((await offersOf(alice))[0], { takenFor: null })
  await t.rejects(
    eve.delete('/pools/secret/claim'),
    { message: /There is no pool secret/ },
    'what he may not see does not exist',
  )
}
