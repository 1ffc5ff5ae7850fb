import { PassThrough } from 'node:stream'
import t from 'tap'
import { openLog } from '../../../broker/log.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { EventStream } from './event-stream.js'

t.test('an open page leaves nothing in the log and nothing in the audit', async (t) => {
  const lines: string[] = []
  const to = new PassThrough().on('data', (line: Buffer) => {
    lines.push(line.toString('utf8'))
  })
  const broker = await SimulatedBroker.start({ log: openLog('info', to) })
  t.teardown(async () => {
    await broker.remove()
  })
  const audit = async (): Promise<number> => (await broker.rows('SELECT 1 FROM event')).length
  const [logged, events] = [lines.length, await audit()]
  const stream = await EventStream.open(broker, broker.token)
  await until(() => stream.text.includes('hello'), { withinMs: 2_000, what: 'the stream stands' })
  for (const path of ['/machines', '/hypervisors', '/pools', '/desktops', '/jobs?limit=20'])
    await broker.admin.get(path)
  stream.close()
  await until(() => stream.ended, { withinMs: 2_000, what: 'the stream has ended' })
  t.same(
    lines.slice(logged).filter((line) => /live|request/.test(line)),
    [],
    'at level info',
  )
  t.equal(await audit(), events)
})

t.test('on a site on which nothing happens, nothing is told', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.addHypervisors()
  await broker.admin.post('/pools', { name: 'lab', size: 0 })
  const stream = await EventStream.open(broker, broker.token)
  t.teardown(() => {
    stream.close()
  })
  const quietForMs = 2_500 // keepers look every second
  let [heard, since] = [0, performance.now()]
  const isQuiet = (): boolean => {
    if (stream.topics.length !== heard) [heard, since] = [stream.topics.length, performance.now()]
    return performance.now() - since > quietForMs
  }
  await until(isQuiet, { withinMs: 20_000, what: 'nothing was told for a while' })
  t.pass('it came to rest')
})
