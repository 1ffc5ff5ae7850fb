import t, { type Test } from 'tap'
import type { Desktop } from '../../../broker/api/assignments.js'
import { allow } from '../../support/people.js'
import { clientsXml, Desk, newMac } from './desk.js'
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
import type { SimulatedBroker } from '../../support/simulated-broker.js'

t.setTimeout(360_000)

t.test(
  'a person logs in, gets his desktop, and leaves: the screen asks for a login again and the desktop stays his',
  async (t) => {
    const broker = await peopleOffice()
    t.teardown(async () => {
      await broker.remove()
    })
    await account(broker, 'Alice')
    const desk = new Desk(broker, newMac())
    t.match(await desk.ask(), {
      state: 'login',
      sentence: 'Log in to get your desktop.',
      ways: { password: true, providers: [] },
    })
    t.match(await desk.person('login', { name: 'alice', password: 'wrong' }), {
      status: 401,
      body: { code: 'unauthenticated' },
    })
    t.match(await desk.person('login', { name: 'nobody', password: 'wrong' }), {
      status: 401,
      body: { message: 'The name or the password is wrong.' },
    })
    const waiting = desk.ask(20_000)
    t.match(await desk.person('login', { name: ' ALICE ', password: PASSWORD }), {
      status: 200,
      body: { name: 'Alice' },
    })
    t.match(
      await waiting,
      { state: /starting|ready/, person: 'Alice' },
      'who waits is told at once',
    )
    const shown = await desk.askUntil('ready', 10_000)
    t.match(shown, { person: 'Alice', console: { protocol: 'spice', title: /^p-\d$/ } })
    const machine = shown.console?.title ?? ''
    await look(broker, machine, desk.address)
    t.match(await listed(broker, desk), { person: 'Alice', state: 'ready', machine })
    t.match((await broker.admin.get<{ desktops: Desktop[] }>('/desktops')).desktops, [
      { machine, holder: 'alice', pool: 'p', phase: 'connected' },
    ])
    t.match(await broker.rows('SELECT holder_kind, holder FROM console_seat'), [
      { holder_kind: 'person', holder: 'Alice' },
    ])
    await desktopStaysTheirs(t, broker, machine, desk)
  },
)

async function desktopStaysTheirs(
  t: Test,
  broker: SimulatedBroker,
  machine: string,
  desk: Desk,
): Promise<void> {
  await look(broker, machine, null)
  t.match(await desk.askAfterEnd(), {
    state: 'login',
    sentence: 'The desktop was closed. Log in to get your desktop.',
  })
  t.match(await listed(broker, desk), { person: null })
  t.match(
    (await broker.admin.get<{ desktops: Desktop[] }>('/desktops')).desktops,
    [{ machine, holder: 'alice', phase: 'grace' }],
    'it stays his',
  )
  t.equal(await sitDown(broker, desk, 'alice'), machine, 'and is the same the next time')
  t.same(
    (
      await broker.rows<{ action: string }>(
        "SELECT action FROM event WHERE object LIKE 'thin-client:%' AND action LIKE 'thin-client.log%' ORDER BY id",
      )
    ).map(({ action }) => action),
    ['thin-client.login', 'thin-client.logout', 'thin-client.login'],
  )
}

t.test(
  'he moves to another thin client: the same desktop there, its old viewer ends, and the two do not fight for it',
  async (t) => {
    const broker = await peopleOffice()
    t.teardown(async () => {
      await broker.remove()
    })
    await account(broker, 'alice')
    const [old, fresh] = [await device(broker, '127.0.0.2'), await device(broker, '127.0.0.3')]
    const machine = await sitDown(broker, old, 'alice')
    t.match(await fresh.person('login', { name: 'alice', password: PASSWORD }), { status: 200 })
    t.notOk(broker.host().viewers.has(machine), 'the old viewer was ended')
    t.match(await old.ask(), {
      state: 'login',
      sentence: 'You have logged in at another thin client. Log in to get your desktop.',
    })
    t.match(await fresh.askUntil('ready'), { console: { title: machine } })
    await look(broker, machine, fresh.address)
    for (let round = 0; round < 5; round++) {
      t.match(await old.ask(), { state: 'login' })
      t.same(broker.host().viewers.get(machine), [fresh.address])
    }
    t.match(
      [await listed(broker, old), await listed(broker, fresh)],
      [{ person: null }, { person: 'alice' }],
    )
    t.equal((await broker.rows('SELECT * FROM assignment')).length, 1)
    t.equal(await sitDown(broker, old, 'alice'), machine, 'and back again')
    t.match(await fresh.ask(), { state: 'login' })
  },
)

t.test('opened elsewhere by himself, the thin client does not take it back', async (t) => {
  const broker = await peopleOffice()
  t.teardown(async () => {
    await broker.remove()
  })
  await account(broker, 'alice')
  const desk = await device(broker)
  const machine = await sitDown(broker, desk, 'alice')
  const { token } = await broker.anybody.post<{ token: string }>('/login', {
    name: 'alice',
    password: PASSWORD,
  })
  const laptop = await broker.anybody.raw(
    'POST',
    `/api/v1/machines/${machine}/console`,
    {},
    { authorization: `Bearer ${token}` },
  )
  t.equal(laptop.status, 200)
  t.match(await desk.ask(), { state: 'login', sentence: /opened at another place/ })
})

t.test("one with several desktops chooses; others' are not among them", async (t) => {
  const broker = await peopleOffice()
  t.teardown(async () => {
    await broker.remove()
  })
  await giveDesktops(broker)
  const desk = await device(broker)
  await desk.person('login', { name: 'alice', password: PASSWORD })
  t.match(await desk.ask(), {
    state: 'choose',
    person: 'alice',
    sentence: 'alice, choose a desktop.',
    choices: [
      { kind: 'machine', name: 'own', state: 'free', sentence: 'it is off' },
      { kind: 'pool', name: 'p', state: 'free', sentence: '2 free' },
      { kind: 'pool', name: 'empty', state: 'full' },
    ],
  })
  t.equal((await desk.ask()).choices?.length, 3)
  for (const wrong of [
    { pool: 'secret' },
    { machine: 'foreign' },
    { machine: 'p-1' },
    { pool: 'nowhere' },
  ])
    t.match(await desk.person('choose', wrong), {
      status: 404,
      body: { message: /is none of the desktops/ },
    })
  for (const wrong of [{}, { pool: 'p', machine: 'own' }])
    t.match(await desk.person('choose', wrong), { status: 400 })
  t.match(await desk.person('choose', { machine: 'own' }), { status: 204 })
  t.match(await desk.askUntil('ready'), { console: { title: 'own' } })
  await choosesOnceMore(t, desk)
  await clientsXml(
    broker,
    '<default><protocol>LOGIN</protocol><desktop-pool>p</desktop-pool><desktop-pool>secret</desktop-pool></default>',
  )
  await desk.person('login', { name: 'alice', password: PASSWORD })
  t.match(
    await desk.askUntil('ready'),
    { console: { title: /^p-/ } },
    'where clients.xml leaves one, there is nothing to choose',
  )
})

async function giveDesktops(broker: SimulatedBroker): Promise<void> {
  await broker.admin.post('/pools', { name: 'empty', size: 0 })
  await broker.admin.post('/pools', { name: 'secret', size: 0 })
  for (const name of ['own', 'foreign'])
    await broker.admin.done('/machines', {
      name,
      type: 'simple',
      hypervisors: ['hv1'],
    })
  await account(broker, 'alice')
  await allow(broker, 'alice', ['start', 'accessConsole'], 'empty', 'pool')
  await allow(broker, 'alice', ['start'], 'secret', 'pool')
  await allow(broker, 'alice', ['accessConsole', 'start'], 'own')
}

async function choosesOnceMore(t: Test, desk: Desk): Promise<void> {
  t.match(await desk.askAfterEnd(), { state: 'login' })
  await desk.person('login', { name: 'alice', password: PASSWORD })
  await desk.person('choose', { pool: 'p' })
  t.match(await desk.askUntil('ready'), { console: { title: /^p-/ } })
  t.match(await desk.person('logout'), { status: 204 })
  t.match(await desk.ask(), { state: 'login', sentence: /^You have logged out\./ })
  t.match(await desk.person('choose', { pool: 'p' }), { status: 401 })
}

t.test('a full pool: a place in the queue, and the desktop when one is free', async (t) => {
  const broker = await peopleOffice({ size: 1 })
  t.teardown(async () => {
    await broker.remove()
  })
  for (const name of ['alice', 'bob']) await account(broker, name)
  const [one, two] = [await device(broker), await device(broker)]
  const machine = await sitDown(broker, one, 'alice')
  await two.person('login', { name: 'bob', password: PASSWORD })
  t.match(await two.ask(), { state: 'waiting', person: 'bob', sentence: /place 1 in the queue/ })
  await broker.admin.post(`/machines/${machine}/release`, { force: true })
  t.match(
    await untilLogin(one, /^Your desktop was taken back\./),
    { state: 'login' },
    'who lost it does not stand in line by himself',
  )
  t.match(await two.askUntil('ready', 20_000), { console: { title: machine }, person: 'bob' })
})
