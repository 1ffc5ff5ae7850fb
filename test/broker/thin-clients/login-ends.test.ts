import { pino } from 'pino'
import t from 'tap'
import { until } from '../../support/until.js'
import {
  account,
  device,
  listed,
  look,
  PASSWORD,
  peopleOffice,
  sitDown,
  untilLogin,
} from './people-office.js'

t.setTimeout(480_000)

t.test(
  'a disabled account, a withdrawn permission, a removed account: the viewer ends and the screen asks for a login',
  async (t) => {
    const broker = await peopleOffice({ size: 3 })
    t.teardown(async () => {
      await broker.remove()
    })
    const ends: Record<string, () => Promise<unknown>> = {
      alice: async () => await broker.admin.patch('/users/alice', { disabled: true }),
      bob: async () =>
        await broker.admin.delete('/grants?kind=pool&object=p&subjectKind=user&subject=bob'),
      carol: async () => await broker.admin.delete('/users/carol'),
    }
    await Promise.all(
      Object.entries(ends).map(async ([name, end]) => {
        await account(broker, name)
        const desk = await device(broker)
        const machine = await sitDown(broker, desk, name)
        await end()
        await until(() => !broker.host().viewers.has(machine), {
          withinMs: 45_000,
          what: `the viewer of ${name} was ended`,
        })
        await untilLogin(desk, /Log in/)
        t.match(await listed(broker, desk), { person: null }, name)
        t.match(
          await desk.person('login', { name, password: PASSWORD }),
          { status: name === 'bob' ? 403 : 401 },
          `${name} does not get in again`,
        )
      }),
    )
  },
)

t.test('logged out everywhere, also at the thin client', async (t) => {
  const broker = await peopleOffice()
  t.teardown(async () => {
    await broker.remove()
  })
  await account(broker, 'alice')
  const desk = await device(broker)
  const machine = await sitDown(broker, desk, 'alice')
  await broker.admin.post('/users/alice/log-out')
  await until(() => !broker.host().viewers.has(machine), {
    withinMs: 10_000,
    what: 'the viewer was ended',
  })
  t.match(await desk.ask(), { state: 'login', sentence: /^You were logged out everywhere\./ })
})

t.test('a viewer that failed is opened again without a login, for a short time', async (t) => {
  const broker = await peopleOffice()
  t.teardown(async () => {
    await broker.remove()
  })
  await account(broker, 'alice')
  const desk = await device(broker)
  const machine = await sitDown(broker, desk, 'alice')
  await look(broker, machine, null)
  t.match(await desk.ask(), { state: 'ready', person: 'alice', console: { title: machine } })
  await look(broker, machine, desk.address)
  await look(broker, machine, null)
  await broker.stop()
  await broker.start()
  t.match(
    await desk.askUntil('ready'),
    { person: 'alice' },
    'a restart of the broker ends no login',
  )
  await look(broker, machine, desk.address)
  await look(broker, machine, null)
  await broker.run('UPDATE console_seat SET disconnected_at = disconnected_at - 120000')
  await broker.stop()
  await broker.start()
  t.match(
    await desk.askUntil('ready'),
    { person: 'alice' },
    'time in which the broker was away does not count',
  )
})

t.test('a login whose screen shows no desktop ends after the stated time', async (t) => {
  const broker = await peopleOffice({ size: 1, config: { thinClientLoginIdleMs: 500 } })
  t.teardown(async () => {
    await broker.remove()
  })
  for (const name of ['alice', 'bob']) await account(broker, name)
  const [busy, waiting] = [await device(broker), await device(broker)]
  await sitDown(broker, busy, 'alice')
  await waiting.person('login', { name: 'bob', password: PASSWORD })
  t.match(await waiting.ask(), { state: 'waiting' })
  await untilLogin(waiting, /^Nobody has used this screen for a while\./)
  t.match(await listed(broker, busy), { person: 'alice' }, 'who is connected stays')
})

t.test('a device that is switched on again, or is removed, has nobody logged in', async (t) => {
  const broker = await peopleOffice()
  t.teardown(async () => {
    await broker.remove()
  })
  await account(broker, 'alice')
  const desk = await device(broker)
  const machine = await sitDown(broker, desk, 'alice')
  t.match(await desk.askAfterEnd(), { state: 'login' })
  t.notOk(broker.host().viewers.has(machine))
  await sitDown(broker, desk, 'alice')
  await broker.admin.delete(`/thin-clients/${(await listed(broker, desk)).id}`)
  t.notOk(broker.host().viewers.has(machine))
  t.same(await broker.rows('SELECT * FROM device_login'), [])
})

t.test(
  'a host that does not answer: the login ends at once, its viewer as soon as that can be said',
  async (t) => {
    const broker = await peopleOffice()
    t.teardown(async () => {
      await broker.remove()
    })
    await account(broker, 'alice')
    const desk = await device(broker)
    const machine = await sitDown(broker, desk, 'alice')
    broker.host().link?.setUp(false)
    await desk.person('logout')
    t.match(await desk.ask(), { state: 'login' })
    t.match(
      await desk.watch(machine),
      { over: 'You have logged out.' },
      'the device itself is told to close it',
    )
    broker.host().link?.setUp(true)
    await until(() => !broker.host().viewers.has(machine), {
      withinMs: 15_000,
      what: 'the viewer was ended',
    })
    await until(async () => (await broker.rows('SELECT * FROM device_login')).length === 0, {
      withinMs: 15_000,
      what: 'the login is forgotten',
    })
  },
)

t.test(
  'before a session is ended the device is told, once, without a ticket and without touching the viewer',
  async (t) => {
    const broker = await peopleOffice({ policy: { maxSession: 'PT10M' } })
    t.teardown(async () => {
      await broker.remove()
    })
    await account(broker, 'alice')
    const desk = await device(broker)
    const machine = await sitDown(broker, desk, 'alice')
    const calls: string[] = []
    broker.host().onCall = (call) => {
      calls.push(call)
    }
    // a host must have been watched for a minute
    const { notice, over } = await desk.watch(machine, { waitMs: 110_000 })
    t.match(notice, {
      sentence: /^Your session ends in \d minutes: save your work, or extend it\.$/,
      takenAt: String,
    })
    t.equal(over, null)
    const again = await desk.watch(machine, { have: notice?.id ?? '', waitMs: 700 })
    t.equal(again.notice?.id, notice?.id, 'the same warning keeps its name')
    const held = desk.watch(machine, { have: notice?.id ?? '', waitMs: 30_000 })
    await broker.admin.post(`/machines/${machine}/extend`)
    t.not((await held).notice?.id, notice?.id, 'an extension is told at once')
    t.notOk(calls.includes('ticket') || calls.includes('disconnect'))
    t.same(broker.host().viewers.get(machine), [desk.address])
    const other = await device(broker)
    t.match(await other.watch(machine), { notice: null }, 'nobody else is told')
  },
)

t.test('a password is in no log, no event and no table', async (t) => {
  let log = ''
  const broker = await peopleOffice({
    log: pino(
      { level: 'debug' },
      {
        write: (line: string) => {
          log += line
        },
      },
    ),
  })
  t.teardown(async () => {
    await broker.remove()
  })
  await account(broker, 'alice')
  const desk = await device(broker)
  await desk.person('login', { name: 'alice', password: 'a wrong but secret one' })
  await sitDown(broker, desk, 'alice')
  const rows = await Promise.all(
    ['event', 'device_login', 'login_failure', 'account', 'job'].map(
      async (table) => await broker.rows(`SELECT * FROM ${table}`),
    ),
  )
  const kept = JSON.stringify(rows) + log
  t.ok(log.includes('thin-clients/login'))
  for (const secret of [PASSWORD, 'a wrong but secret one', desk.key ?? 'no key'])
    t.notOk(kept.includes(secret))
})
