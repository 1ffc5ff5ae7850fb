import t from 'tap'
import { addPerson } from '../../support/people.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { EventStream } from './event-stream.js'

t.setTimeout(120_000)
const broker = await SimulatedBroker.start({ hosts: 1 })
t.teardown(async () => {
  await broker.remove()
})

async function openMany(token: string, count: number): Promise<EventStream[]> {
  const opened = await Promise.allSettled(
    Array.from({ length: count }, async () => await EventStream.open(broker, token)),
  )
  return opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
}

t.test('20 streams of a login; a closed one makes room', async (t) => {
  const ann = await addPerson(broker, 'ann')
  const streams = await openMany(ann.token ?? '', 25)
  t.equal(streams.length, 20)
  t.match(await ann.raw('GET', '/api/v1/live'), {
    status: 429,
    body: { code: 'too_many_connections' },
  })
  streams[0]?.close()
  const again = await until(async () => await EventStream.open(broker, ann.token ?? ''), {
    withinMs: 2_000,
    what: 'there is room again',
  })
  for (const stream of [...streams, again]) stream.close()
})

t.test('500 streams of a person', async (t) => {
  const logins = await Promise.all(Array.from({ length: 26 }, () => addPerson(broker, 'bob')))
  const streams: EventStream[] = []
  for (const { token } of logins) streams.push(...(await openMany(token ?? '', 20)))
  t.equal(streams.length, 500)
  for (const stream of streams) stream.close()
})

t.test('all streams of a login that ends are ended, also those of jobs', async (t) => {
  const eve = await addPerson(broker, 'eve', { roles: ['observer'] })
  const streams = await openMany(eve.token ?? '', 5)
  await broker.admin.patch('/users/eve', { disabled: true })
  await until(() => streams.every((stream) => stream.ended), {
    withinMs: 5_000,
    what: 'all streams have ended',
  })
  t.ok(streams.every(({ text }) => text.includes('event: end')))
})

t.test('a login by itself is no change of people', async (t) => {
  const token = (await addPerson(broker, 'joe')).token ?? ''
  const before = await EventStream.open(broker, token)
  await broker.admin.post('/users', { name: 'kim', password: 'correct horse battery' })
  await until(() => before.text.includes('event: still'), {
    withinMs: 5_000,
    what: 'the new account is told',
  })
  before.close()
  const stream = await EventStream.open(broker, token)
  await broker.anybody.post('/login', { name: 'kim', password: 'correct horse battery' })
  await broker.admin.post('/pools', { name: 'after', size: 0 })
  await until(() => stream.topics.includes('pools'), { withinMs: 3_000, what: 'the pool is told' })
  t.notOk(stream.text.includes('event: still'), 'nobody was checked for it')
  stream.close()
})
