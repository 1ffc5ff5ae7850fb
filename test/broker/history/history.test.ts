import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import type { ClaimAnswer } from '../../../broker/api/assignments.js'
import type { History } from '../../../broker/api/history.js'
import { lastMinute, MINUTE_MS, type Sample } from '../../../broker/history/policy.js'
import { SiteHistory } from '../../../broker/history/service.js'
import { samplesSince } from '../../../broker/history/store.js'
import { openStore } from '../../../broker/store/open.js'
import { addPerson, allow } from '../../support/people.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { office, poolOf } from '../pools/office.js'
import { databaseIn } from '../../support/database.js'

t.setTimeout(240_000)
let broker: SimulatedBroker
t.before(async () => {
  broker = await office({ hosts: 1 })
})
t.teardown(async () => {
  await broker.remove()
})

/** What a broker would enter of the minutes up to now, were they over; taken from the database of the running one. */
async function seenSince(from: number): Promise<Sample[]> {
  const store = await openStore(await databaseIn(join(broker.directory, 'data')))
  for (let now = from; now <= Date.now() + MINUTE_MS; now += MINUTE_MS) {
    await store.deleteFrom('history_minute').where('at', '=', lastMinute(now)).execute()
    await new SiteHistory({ store, log: pino({ level: 'silent' }), now: () => now }).sample()
  }
  const samples = await samplesSince(store, lastMinute(from))
  await store.destroy()
  return samples
}

t.test(
  'who waits, who was given what he waited for, and what was started, as the broker itself has recorded it',
  async (t) => {
    const from = Date.now()
    await poolOf(broker, 'small', 1)
    const [ann, bob] = [await addPerson(broker, 'ann'), await addPerson(broker, 'bob')]
    for (const name of ['ann', 'bob'])
      await allow(broker, name, ['start', 'release', 'accessConsole'], 'small', 'pool')
    const { desktop } = await ann.post<ClaimAnswer>('/pools/small/claim', { waitMs: 20_000 })
    t.match(desktop, { phase: 'ready' })
    await bob.post('/pools/small/claim', { wait: true })
    const waiting = (await seenSince(from)).at(-1)
    t.match(waiting, { assigned: 1, sessions: 0, waiting: 1 })
    t.ok((waiting?.longestWaitMs ?? 0) > 0, 'he waits')
    await ann.post(`/machines/${desktop?.machine ?? ''}/release`)
    await until(
      async () =>
        (
          await broker.rows(
            "SELECT 1 FROM assignment WHERE holder = 'user:bob' AND started_at IS NOT NULL",
          )
        ).length === 1,
      { withinMs: 30_000, what: 'bob has it' },
    )
    const samples = await seenSince(from)
    t.match(samples.at(-1), { assigned: 1, waiting: 0, longestWaitMs: 0 })
    const waits = samples.flatMap(({ waitedMs }) => waitedMs)
    t.equal(waits.length, 2, 'two were given one')
    t.equal(waits[0], 0, 'ann got hers at once')
    t.ok((waits[1] ?? 0) > 0 && (waits[1] ?? 0) < Date.now() - from, 'bob after a while')
    const started = (
      await broker.rows("SELECT 1 FROM job_step WHERE step = 'start' AND result = '\"\"'")
    ).length
    t.ok(started >= 1)
    t.equal(
      samples.reduce((sum, { starts }) => sum + starts, 0),
      started,
    )
    t.equal(
      samples.flatMap(({ startMs }) => startMs).length,
      started,
      'each start was a job of its own',
    )
    t.ok(samples.flatMap(({ startMs }) => startMs).every((ms) => ms >= 0 && ms < Date.now() - from))
  },
)

t.test('what an administrator gives unasked is no wait', async (t) => {
  await poolOf(broker, 'given', 1)
  const from = Date.now()
  await broker.admin.post('/pools/given/assign', { user: 'carl' })
  const details = await broker.rows<{ detail: string }>(
    "SELECT detail FROM event WHERE action = 'desktop.assign' AND at >= ?",
    from,
  )
  t.same(
    details.map(({ detail }) => JSON.parse(detail) as unknown),
    [{ pool: 'given', holder: 'carl' }],
  )
})

t.test(
  'the API: a day unless a week is asked for, for observers; anything else is refused in words',
  async (t) => {
    const day = await broker.admin.get<History>('/history')
    t.match(day, { span: 'day', stepSeconds: 300 })
    t.equal(day.samples.length, 288)
    const observer = await addPerson(broker, 'olga', { roles: ['observer'] })
    t.match(await observer.get<History>('/history?span=week'), { span: 'week', stepSeconds: 1800 })
    t.match(await broker.admin.raw('GET', '/api/v1/history?span=month'), {
      status: 400,
      body: { code: 'invalid_request', message: 'querystring.span: must be one of day, week.' },
    })
    t.match(await (await addPerson(broker, 'paul')).raw('GET', '/api/v1/history'), {
      status: 403,
      body: { code: 'forbidden' },
    })
  },
)
