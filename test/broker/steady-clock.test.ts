import { pino } from 'pino'
import t, { type Test as T } from 'tap'
import type { Job } from '../../broker/api/jobs.js'
import { Retention } from '../../broker/history/retention.js'
import { SteadyClock } from '../../broker/steady-clock.js'
import { openStore } from '../../broker/store/open.js'
import { LoginLimits } from '../../broker/users/login-limits.js'
import { ApiClient } from '../support/api-client.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'
import { Desk, newMac, office, STRANGE_ADDRESS } from './thin-clients/desk.js'
import { BrowserClient } from './users/browser-client.js'
import { emptyDatabase } from '../support/database.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const wallNow = Date.now

/** Sets the wall clock of this process, as root sets that of the machine, until the test has ended. */
function set(t: T, byMs: number): void {
  Date.now = () => wallNow() + byMs
  t.teardown(() => {
    Date.now = wallNow
  })
}

t.test('a clock that is set on is caught up with, one that is set back is followed', async (t) => {
  const time = { wall: 100 * DAY_MS, monotonic: 5_000 }
  const clock = new SteadyClock({
    wallMs: () => time.wall,
    monotonicMs: () => time.monotonic,
  })
  const pass = (ms: number): number => {
    time.wall += ms
    time.monotonic += ms
    return clock.now() - 100 * DAY_MS
  }
  t.equal(pass(HOUR_MS), HOUR_MS)
  t.equal(clock.steadyForMs(), HOUR_MS)
  time.wall += DAY_MS
  t.equal(pass(0), HOUR_MS, 'nothing ends at once')
  t.equal(clock.steadyForMs(), 0)
  t.equal(pass(HOUR_MS), 3 * HOUR_MS, 'at double speed')
  t.equal(pass(23 * HOUR_MS), 49 * HOUR_MS, 'until it agrees')
  t.equal(pass(HOUR_MS), 50 * HOUR_MS)
  time.wall -= DAY_MS
  t.equal(pass(0), 26 * HOUR_MS, 'set back')
  time.wall += 2 * HOUR_MS
  t.equal(pass(0), 26 * HOUR_MS)
  time.wall -= 2 * HOUR_MS
  t.equal(pass(HOUR_MS), 27 * HOUR_MS, 'a mistake that was corrected leaves nothing behind')
  time.wall += 365 * DAY_MS
  t.equal(pass(0), 27 * HOUR_MS + 365 * DAY_MS, 'so far off it is believed')
})

/** Who is logged in, who has been accepted, and what runs, before the clock is set. */
async function working(t: T): Promise<{
  readonly broker: SimulatedBroker
  readonly browser: BrowserClient
  readonly line: ApiClient
  readonly accepted: Desk
  readonly job: string
  readonly goOn: () => void
  readonly entered: () => number
}> {
  const broker = await office(1)
  t.teardown(async () => {
    await broker.remove()
  })
  const browser = new BrowserClient(broker)
  await browser.logIn('admin', broker.adminPassword)
  const { token } = await broker.anybody.post<{ token: string }>('/login', {
    name: 'admin',
    password: broker.adminPassword,
  })
  const accepted = new Desk(broker, newMac(), STRANGE_ADDRESS)
  await accepted.ask()
  const { thinClients } = await broker.admin.get<{ thinClients: Array<{ id: string }> }>(
    '/thin-clients',
  )
  await broker.admin.post(`/thin-clients/${thinClients[0]?.id ?? ''}/accept`)
  let [goOn, calls] = [(): void => {}, 0]
  const held = new Promise<void>((resolve) => {
    goOn = resolve
  })
  broker.host().holdAnswer = async (call) => {
    if (call !== 'start') return
    calls += 1
    await held
  }
  const { job } = await broker.admin.post<{ job: string }>('/machines/pc-1/power', {
    action: 'start',
  })
  await until(() => calls === 1, { withinMs: 5_000, what: 'the job starts the machine' })
  const line = new ApiClient(broker.url, broker.ca, token)
  return { broker, browser, line, accepted, job, goOn, entered: () => calls }
}

for (const [what, byMs] of [
  ['on by a day', DAY_MS],
  ['back by a day', -DAY_MS],
] as const)
  t.test(`a clock that is set ${what} takes nothing from anybody`, async (t) => {
    const { broker, browser, line, accepted, job, goOn, entered } = await working(t)
    set(t, byMs)
    t.match(await browser.ask('GET', '/api/v1/session'), { status: 200 }, 'a browser')
    t.match(await line.get('/whoami'), { name: 'admin' }, 'the command line')
    const other = new BrowserClient(broker)
    await other.logIn('admin', broker.adminPassword)
    t.match(await other.ask('GET', '/api/v1/session'), { status: 200 }, 'who logs in now')
    await accepted.ask()
    t.ok(accepted.key, 'who was accepted comes for its key')
    await until(
      async () =>
        Number(
          (await broker.rows('SELECT lease_until FROM job WHERE id = ?', job))[0]?.['lease_until'],
        ) -
          Date.now() >
        0,
      { withinMs: 5_000, what: 'the lease goes on' },
    )
    goOn()
    t.equal(((await broker.admin.ended(job)) satisfies Job).state, 'succeeded')
    t.equal(entered(), 1, 'the job was taken up by nobody else')
  })

t.test(
  'a clock that was wrong at a start has removed no token of a program for ever',
  async (t) => {
    const broker = await office(1)
    t.teardown(async () => {
      await broker.remove()
    })
    await broker.stop()
    Date.now = () => wallNow() + 20 * 365 * DAY_MS
    try {
      await broker.start()
      await broker.stop()
    } finally {
      Date.now = wallNow
    }
    await broker.start()
    t.match(await broker.admin.get('/whoami'), { name: 'admin' })
  },
)

t.test('a clock that is set on ends no wait after wrong passwords', async (t) => {
  const time = { wall: 100 * DAY_MS, monotonic: 5_000 }
  const clock = new SteadyClock({ wallMs: () => time.wall, monotonicMs: () => time.monotonic })
  const store = await openStore(await emptyDatabase())
  t.teardown(async () => {
    await store.destroy()
  })
  const limits = new LoginLimits(store, () => clock.now())
  const origin = { address: '10.0.0.1' }
  for (let tries = 0; tries < 5; tries++) await limits.begin('ann', origin)
  time.wall += DAY_MS
  await t.rejects(limits.begin('ann', origin), { code: 'too_many_requests' })
  t.equal((await limits.blocked()).size, 1, 'administrators see it')
  time.wall += 1_000
  time.monotonic += 1_000
  await limits.begin('ann', origin)
})

t.test('the broker counts the waits of failed logins by that clock', async (t) => {
  const broker = await office(1)
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.run(
    'INSERT INTO login_failure (subject, failures, last_at, blocked_until) VALUES (?, 20, ?, ?)',
    'account:admin',
    Date.now() - 1_000,
    Date.now() + 15 * 60_000,
  )
  set(t, HOUR_MS)
  const login = { name: 'admin', password: broker.adminPassword }
  t.equal((await broker.anybody.raw('POST', '/api/v1/login', login)).status, 429)
})

t.test('while the clock may be wrong, no job and no event is too old', async (t) => {
  const time = { wall: 100 * DAY_MS, monotonic: 5_000 }
  const clock = new SteadyClock({ wallMs: () => time.wall, monotonicMs: () => time.monotonic })
  const store = await openStore(await emptyDatabase())
  t.teardown(async () => {
    await store.destroy()
  })
  await store
    .insertInto('event')
    .values({
      id: 1,
      at: time.wall,
      actor: 'ann',
      address: '',
      action: 'login',
      object: 'account:ann',
      result: 'ok',
      detail: '{}',
    })
    .execute()
  const log = pino({ level: 'silent' })
  const kept = { jobsKeptMs: 90 * DAY_MS, eventsKeptMs: 365 * DAY_MS }
  const retention = new Retention({ store, log, clock, ...kept })
  const events = async (): Promise<number> =>
    (await store.selectFrom('event').select('id').where('actor', '=', 'ann').execute()).length
  time.wall += 20 * 365 * DAY_MS
  await retention.prune()
  t.equal(await events(), 1, 'a clock that is set on removes nothing at once')
  time.wall += HOUR_MS
  time.monotonic += HOUR_MS
  await retention.prune()
  t.equal(await events(), 0, 'one that has been so for an hour is believed')
})
