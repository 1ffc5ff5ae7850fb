import t from 'tap'
import { Changes } from '../../../broker/live/changes.js'
import { TOPICS, type Topic } from '../../../broker/api/live.js'
import { addPerson } from '../../support/people.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { EventStream } from './event-stream.js'

async function told(changes: Changes): Promise<void> {
  const before = changes.mark
  await until(() => changes.mark !== before, { withinMs: 1_000, everyMs: 10, what: 'it is told' })
}

t.test('what was missed comes at once; a mark that is not known means everything', async (t) => {
  const changes = new Changes()
  const start = changes.mark
  t.same(changes.since(start), [])
  changes.wrote('machine')
  changes.wrote('web_session')
  changes.note('jobs')
  await told(changes)
  t.same(changes.since(start), ['machines', 'jobs'], 'the sessions of browsers are no topic')
  const middle = changes.mark
  changes.wrote('pool_member')
  await told(changes)
  t.same(changes.since(middle), ['pools'])
  t.same(changes.since(start), ['machines', 'jobs', 'pools'])
  t.same(changes.since(changes.mark), [])
  const epoch = start.split('-')[0] ?? ''
  for (const odd of [
    '',
    'x',
    `${epoch}-`,
    `${epoch}-99`,
    `${epoch}--1`,
    `${epoch}-x`,
    `${epoch}-0-1`,
    new Changes().mark,
  ])
    t.same(changes.since(odd), [...TOPICS], odd)
})

t.test(
  'a change is told within a second, and one who was cut off hears of what he missed',
  async (t) => {
    const broker = await SimulatedBroker.start()
    t.teardown(async () => {
      await broker.remove()
    })
    const person = await addPerson(broker, 'ann')
    const stream = await EventStream.open(broker, person.token ?? '')
    await broker.admin.post('/pools', { name: 'lab', size: 0 })
    await until(() => stream.topics.includes('pools') && stream.topics.includes('events'), {
      withinMs: 1_000,
      what: 'the new pool is told',
    })
    const { lastId } = stream
    stream.close()
    await broker.addHypervisors()
    await until(async () => (await broker.rows('SELECT 1 FROM hypervisor')).length === 1, {
      withinMs: 2_000,
      what: 'the hypervisor is there',
    })
    const again = await EventStream.open(broker, person.token ?? '', lastId)
    t.teardown(() => {
      again.close()
    })
    await until(() => again.topics.includes('hypervisors'), {
      withinMs: 1_000,
      what: 'the hypervisor is told',
    })
    t.notOk(again.topics.includes('pools' satisfies Topic), 'what he has seen is not told again')
  },
)

t.test('a stream says nothing of names, and ends with the login', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  const person = await addPerson(broker, 'ann')
  const stream = await EventStream.open(broker, person.token ?? '')
  t.teardown(() => {
    stream.close()
  })
  await broker.admin.post('/pools', { name: 'secret-lab', size: 0 })
  await until(() => stream.topics.includes('pools'), { withinMs: 1_000, what: 'the pool is told' })
  t.notMatch(stream.text, /secret|lab/)
  await broker.admin.patch('/users/ann', { disabled: true })
  await until(() => stream.ended, { withinMs: 3_000, what: 'the stream ends' })
  t.match(stream.text, /event: end/)
})
