import t, { type Test } from 'tap'
import { type Screen, SCREEN_CLOSES, type Session } from '../../../broker/api/consoles.js'
import { ScreenTickets } from '../../../broker/consoles/screen-tickets.js'
import type { SpiceConsole } from '../../../broker/api/machines.js'
import { ApiClient } from '../../support/api-client.js'
import { type OpenScreen, openScreen } from '../../support/rfb-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { type RfbDisplay, startDisplay } from './rfb-display.js'

t.setTimeout(240_000)

interface Person {
  readonly name: string
  readonly api: ApiClient
  readonly token: string
}
interface Stage {
  readonly broker: SimulatedBroker
  readonly display: RfbDisplay
  readonly person: (name: string, ...verbs: string[]) => Promise<Person>
}

/** The running machine pc-1 with a display. */
async function stage(t: Test): Promise<Stage> {
  const broker = await SimulatedBroker.start()
  const display = await startDisplay()
  t.teardown(async () => {
    await broker.remove()
    await display.close()
  })
  await broker.addHypervisors()
  broker.host().onDisplay = () => display.connection()
  await broker.admin.succeeded(
    (
      await broker.admin.post<{ job: string }>('/machines', {
        name: 'pc-1',
        type: 'simple',
        hypervisors: ['hv1'],
        memoryMib: 64,
        diskGib: 1,
      })
    ).job,
  )
  await broker.admin.succeeded(
    (await broker.admin.post<{ job: string }>('/machines/pc-1/power', { action: 'start' })).job,
  )
  const person = async (name: string, ...verbs: string[]): Promise<Person> => {
    await broker.admin.post('/users', { name, password: 'a long password of theirs' })
    await broker.admin.put('/grants', {
      kind: 'machine',
      object: 'pc-1',
      subjectKind: 'user',
      subject: name,
      verbs,
    })
    const { token } = await broker.anybody.post<{ token: string }>('/login', {
      name,
      password: 'a long password of theirs',
    })
    return { name, token, api: new ApiClient(broker.url, broker.ca, token) }
  }
  return { broker, display, person }
}

const ask = async (who: Pick<Person, 'api'>, body: object = {}): Promise<Screen> =>
  await who.api.post<Screen>('/machines/pc-1/screen', body)
const show = async (
  { broker }: Stage,
  { token }: Pick<Person, 'token'>,
  ticket: string | Buffer,
  headers: object = {},
): Promise<OpenScreen> =>
  await openScreen(
    {
      url: broker.url,
      ca: broker.ca,
      machine: 'pc-1',
      headers: { authorization: `Bearer ${token}`, ...headers },
    },
    ticket,
  )
/** Asks, opens and sees the first picture. */
async function open(it: Stage, who: Person, body: object = {}): Promise<OpenScreen> {
  const screen = await show(it, who, (await ask(who, body)).ticket)
  await (await screen.viewer.begin()).frame()
  return screen
}
const sessions = async ({ broker }: Stage): Promise<Session[]> =>
  (await broker.admin.get<{ sessions: Session[] }>('/sessions')).sessions
const actions = async ({ broker }: Stage): Promise<string[]> =>
  (
    await broker.rows<{ action: string; actor: string }>(
      "SELECT actor, action FROM event WHERE action LIKE 'console.%' ORDER BY id",
    )
  ).map(({ actor, action }) => `${actor} ${action}`)
async function connected(it: Stage, addresses: string[]): Promise<void> {
  it.broker.host().seat('pc-1', addresses)
  await until(
    async () =>
      (await it.broker.admin.get<{ viewers: string[] }>('/machines/pc-1')).viewers.join() ===
      addresses.join(),
    { withinMs: 5_000, everyMs: 10, what: 'the broker sees who is connected' },
  )
}
const seated = async (it: Stage, count: number): Promise<Session[]> =>
  await until(
    async () => {
      const found = await sessions(it)
      return found.length === count ? found : null
    },
    { withinMs: 5_000, everyMs: 10, what: `${count} sessions` },
  )

t.test(
  'a screen in the browser: a ticket, the picture, keys, a session, and its end',
  async (t) => {
    const it = await stage(t)
    const alice = await it.person('alice', 'accessConsole')
    const answer = await ask(alice)
    t.match(answer, {
      ticket: /^[\w-]{22}$/,
      ticketSeconds: 30,
      viewOnly: false,
      clipboard: true,
      title: 'pc-1',
    })
    t.notOk('taken' in answer)
    const { viewer, webSocket, closed } = await show(it, alice, answer.ticket)
    await viewer.begin()
    t.match(viewer, { width: 4, height: 3, name: 'pc-1' })
    await viewer.frame()
    t.equal(viewer.picture().at(-1), 0x7f)
    viewer.type('ls')
    await until(() => it.display.seen[0]?.length === 6, {
      withinMs: 5_000,
      what: 'the keys arrive',
    })
    t.same(it.display.seen, [[2, 3, 4, 4, 4, 4]])
    t.same(it.display.shared, [1], 'whoever watches is not cut')
    t.match(await seated(it, 1), [
      {
        machine: 'pc-1',
        holder: { kind: 'person', name: 'alice' },
        address: '127.0.0.1',
        protocol: 'vnc',
        via: 'browser',
        watching: false,
      },
    ])
    t.match(await it.broker.admin.get('/machines/pc-1'), { viewers: ['127.0.0.1'] })
    t.match(
      (await it.broker.admin.raw('GET', '/metrics')).text,
      /berth_consoles\{protocol="vnc",via="browser",watching="false"\} 1/,
    )
    webSocket.close()
    t.equal((await closed).code, 1005)
    await seated(it, 0)
    await until(() => it.display.sockets.size === 0, {
      withinMs: 5_000,
      what: 'the display is left',
    })
    await until(async () => (await actions(it)).length === 3, {
      withinMs: 5_000,
      what: 'its end is written down',
    })
    t.same(await actions(it), ['alice console.ticket', 'alice console.open', 'alice console.close'])
  },
)

t.test('a ticket is good once, for its machine, person and login, and only soon', async (t) => {
  const it = await stage(t)
  const [alice, bob] = [
    await it.person('alice', 'accessConsole'),
    await it.person('bob', 'accessConsole'),
  ]
  const bad = async (screen: OpenScreen, what: string): Promise<void> => {
    t.match(
      await screen.closed,
      { code: SCREEN_CLOSES.badTicket.code, reason: /^The ticket is not good any more/ },
      what,
    )
  }
  await bad(await show(it, alice, 'x'.repeat(22)), 'none that was given')
  const { ticket } = await ask(alice)
  await bad(await show(it, bob, ticket), "another person's")
  await bad(await show(it, alice, ticket), 'one that was shown by somebody else is used up')
  const again = await it.broker.anybody.post<{ token: string }>('/login', {
    name: 'alice',
    password: 'a long password of theirs',
  })
  await bad(await show(it, again, (await ask(alice)).ticket), 'another login of the same person')
  const used = (await ask(alice)).ticket
  const { viewer, webSocket } = await show(it, alice, used)
  await viewer.begin()
  await bad(await show(it, alice, used), 'one that was used')
  webSocket.terminate()
  await seated(it, 0)
  await bad(
    await show(it, alice, Buffer.from(JSON.stringify({ ticket: (await ask(alice)).ticket }))),
    'bytes instead of a text',
  )
  const silent = await show(it, alice, '')
  t.equal(it.display.sockets.size, 0, 'nothing is opened before a good ticket')
  await bad(silent, 'none within five seconds')
})

t.test('tickets end after 30 seconds, and with whatever revokes them', async (t) => {
  let now = 0
  const tickets = new ScreenTickets(() => now)
  const pass = {
    machineId: 'pc-1',
    holder: { kind: 'person', name: 'alice' },
    login: 'token:1',
    watching: false,
    clipboard: true,
  } as const
  const [young, old, revoked] = [
    tickets.issue(pass),
    tickets.issue(pass),
    tickets.issue({ ...pass, machineId: 'pc-2' }),
  ]
  now = 30_000
  t.match(tickets.enter(young, pass), pass)
  t.equal(tickets.enter(young, pass), null)
  tickets.revoke(({ machineId }) => machineId === 'pc-2')
  t.equal(tickets.enter(revoked, { ...pass, machineId: 'pc-2' }), null)
  now = 30_001
  t.equal(tickets.enter(old, pass), null)
  tickets.issue(pass)
  now = 70_000
  tickets.issue(pass)
  t.equal(tickets.size, 1, 'those that nobody used are forgotten')
})

t.test('who may not is refused before anything is opened, and other sites are', async (t) => {
  const it = await stage(t)
  const alice = await it.person('alice', 'accessConsole')
  const nobody = await it.person('nobody', 'start')
  const refused = async (promise: Promise<unknown>, status: string): Promise<void> => {
    await t.rejects(promise, { message: new RegExp(status) })
  }
  await t.rejects(ask(nobody), { code: 'forbidden' })
  await refused(show(it, nobody, 'x'), '403')
  await refused(show(it, { token: 'x' }, 'x'), '401')
  const own = it.broker.url
  for (const origin of ['https://evil.example', own.replace('https', 'http'), `${own}0`, 'null'])
    await refused(show(it, alice, 'x', { origin }), '403')
  await refused(
    show(it, alice, 'x', { origin: 'https://evil.example', host: 'evil.example' }),
    '403',
  ) // a foreign name that leads here
  t.equal(
    (await (await show(it, alice, 'x', { origin: own })).closed).code,
    SCREEN_CLOSES.badTicket.code,
    'our own page comes in',
  )
  await t.rejects(ask(alice, { watch: true }), { code: 'forbidden', message: /takeConsole/ })
  t.match(await it.broker.admin.raw('GET', '/api/v1/machines/pc-1/screen'), { status: 426 })
  await it.broker.admin.post('/machines/pc-1/power', { action: 'poweroff' })
  await until(
    async () => (await it.broker.admin.get<{ power: string }>('/machines/pc-1')).power === 'off',
    { withinMs: 5_000, what: 'it is off' },
  )
  await t.rejects(ask(alice), { code: 'machine_off' })
})

t.test(
  'one seat a machine: who has it is told from others, cut only on request, and his own moves with him',
  async (t) => {
    const it = await stage(t)
    const [alice, bob, carol] = [
      await it.person('alice', 'accessConsole'),
      await it.person('bob', 'accessConsole'),
      await it.person('carol', 'accessConsole', 'takeConsole'),
    ]
    const first = await open(it, alice)
    await seated(it, 1)
    await t.rejects(ask(bob), { code: 'console_in_use', message: /^Somebody else has the console/ })
    await t.rejects(ask(bob, { take: true }), { code: 'forbidden' })
    await t.rejects(
      bob.api.post('/machines/pc-1/console'),
      { code: 'console_in_use' },
      'nor by SPICE',
    )
    await t.rejects(ask(carol), { code: 'console_in_use', message: /^alice \(127\.0\.0\.1, since/ })
    const second = await open(it, alice)
    t.match(await first.closed, {
      code: SCREEN_CLOSES.taken.code,
      reason: 'The screen was opened elsewhere.',
    })
    const { ticket, taken } = await ask(carol, { take: true })
    t.match(taken, { from: { kind: 'person', name: 'alice' } })
    t.match(
      await second.closed,
      { code: SCREEN_CLOSES.taken.code, reason: 'The console was taken over.' },
      'alice may not know by whom',
    )
    await t.rejects(ask(alice), { code: 'console_in_use' }, 'carol is about to open it')
    const third = await show(it, carol, ticket)
    await third.viewer.begin()
    const dora = await it.person('dora', 'accessConsole', 'takeConsole')
    await ask(dora, { take: true })
    t.match(await third.closed, {
      code: SCREEN_CLOSES.taken.code,
      reason: 'The console was taken over by dora.',
    })
    t.ok((await actions(it)).includes('carol console.take'))
  },
)

t.test('browser and SPICE viewer take the seat from each other', async (t) => {
  const it = await stage(t)
  const alice = await it.person('alice', 'accessConsole')
  const carol = await it.person('carol', 'accessConsole', 'takeConsole')
  await alice.api.post<SpiceConsole>('/machines/pc-1/console')
  await connected(it, ['10.1.1.1'])
  await t.rejects(ask(carol), { code: 'console_in_use', message: /^alice/ })
  const mine = await open(it, alice)
  await until(() => !it.broker.host().viewers.has('pc-1'), {
    withinMs: 5_000,
    what: 'her own SPICE viewer ends',
  })
  await alice.api.post<SpiceConsole>('/machines/pc-1/console')
  await connected(it, ['10.1.1.1', '127.0.0.1']).catch(() => {})
  t.match(await mine.closed, {
    code: SCREEN_CLOSES.taken.code,
    reason: 'The screen was opened elsewhere.',
  })
  await ask(carol, { take: true })
  t.notOk(it.broker.host().viewers.has('pc-1'), 'the SPICE viewer is cut')
  const hers = await open(it, carol)
  await t.rejects(alice.api.post('/machines/pc-1/console'), { code: 'console_in_use' })
  const { taken } = await it.broker.admin.post<SpiceConsole>('/machines/pc-1/console', {
    take: true,
  })
  t.match(taken, { from: { name: 'carol' } })
  t.match(await hers.closed, {
    code: SCREEN_CLOSES.taken.code,
    reason: 'The console was taken over by admin.',
  })
})

t.test('who only looks does not take the seat, changes nothing, and is told of', async (t) => {
  const it = await stage(t)
  const [alice, carol] = [
    await it.person('alice', 'accessConsole'),
    await it.person('carol', 'accessConsole', 'takeConsole'),
  ]
  await it.broker.admin.post('/machines/pc-1/assign', { user: 'alice' })
  await open(it, alice)
  await seated(it, 1)
  const mine = async (): Promise<unknown> =>
    (await alice.api.get<{ desktops: unknown[] }>('/desktops/mine')).desktops
  t.match(await mine(), [{ machine: 'pc-1', phase: 'connected', watchedBy: [] }])
  const answer = await ask(carol, { watch: true })
  t.match(answer, { viewOnly: true, clipboard: false })
  const watching = await show(it, carol, answer.ticket)
  await (await watching.viewer.begin({ encodings: [0, -223, -309, -316, 0xc0a1e5ce | 0] })).frame()
  watching.viewer.type('rm')
  await watching.viewer.frame()
  t.same(it.display.seen[1], [2, 3, 3], 'her keys were dropped in the broker')
  t.match(await seated(it, 2), [
    { holder: { name: 'alice' }, watching: false },
    { holder: { name: 'carol' }, watching: true },
  ])
  t.match(await mine(), [{ watchedBy: ['carol'] }])
  t.match(await it.broker.admin.get('/machines/pc-1'), { viewers: ['127.0.0.1'] })
  watching.webSocket.close()
  await seated(it, 1)
  t.match(await mine(), [{ watchedBy: [] }])
  t.same(
    (await actions(it)).filter((one) => one.includes('watch')),
    ['carol console.watch', 'carol console.watch-end'],
  )
})

t.test('who watches alone does not count as connected', async (t) => {
  const it = await stage(t)
  const carol = await it.person('carol', 'accessConsole', 'takeConsole')
  await it.broker.admin.post('/machines/pc-1/assign', { user: 'alice' })
  const watching = await open(it, carol, { watch: true })
  await seated(it, 1)
  t.match(await it.broker.admin.get('/machines/pc-1'), { viewers: [] })
  t.match((await it.broker.admin.get<{ desktops: unknown[] }>('/desktops')).desktops, [
    { machine: 'pc-1', connectedAt: null, watchedBy: ['carol'] },
  ])
  await it.broker.admin.put('/grants', {
    kind: 'machine',
    object: 'pc-1',
    subjectKind: 'user',
    subject: 'carol',
    verbs: ['accessConsole'],
  })
  t.match(
    await watching.closed,
    { code: SCREEN_CLOSES.over.code },
    'and ends with the permission to take it',
  )
})

t.test(
  'it ends, with its reason, when the machine, the host or the right to it goes',
  async (t) => {
    const it = await stage(t)
    const alice = await it.person('alice', 'accessConsole')
    const ended = async (
      screen: OpenScreen,
      close: keyof typeof SCREEN_CLOSES,
      reason: RegExp,
    ): Promise<void> => {
      t.match(await screen.closed, { code: SCREEN_CLOSES[close].code, reason }, close)
      await seated(it, 0)
    }
    let screen = await open(it, alice)
    await it.broker.admin.post('/machines/pc-1/power', { action: 'reset' })
    for (const socket of it.display.sockets) socket.destroy()
    await ended(screen, 'ended', /^The display has ended/)
    screen = await open(it, alice)
    it.broker.host().link?.setUp(false)
    for (const socket of it.display.sockets) socket.destroy()
    await ended(screen, 'hostAway', /^The connection to hv1 was lost/)
    it.broker.host().link?.setUp(true)
    await until(
      async () =>
        (await it.broker.admin.get<{ power: string }>('/machines/pc-1')).power === 'running',
      { withinMs: 5_000, what: 'it is seen again' },
    )
    screen = await open(it, alice)
    screen.webSocket.send(Buffer.from([99]))
    await ended(screen, 'refused', /unknown type 99/)
    screen = await open(it, alice)
    screen.webSocket.send('a text')
    await ended(screen, 'refused', /a text among the bytes/)
    it.broker.host().onDisplay = () => null
    const none = await show(it, alice, (await ask(alice)).ticket)
    t.match(await none.closed, {
      code: SCREEN_CLOSES.unreachable.code,
      reason: /has no VNC display/,
    })
    it.broker.host().onDisplay = () => it.display.connection()
    screen = await open(it, alice)
    await alice.api.delete('/sessions')
    await ended(screen, 'over', /^The permission ended/)
    const { token } = await it.broker.anybody.post<{ token: string }>('/login', {
      name: 'alice',
      password: 'a long password of theirs',
    })
    const again = { ...alice, token, api: new ApiClient(it.broker.url, it.broker.ca, token) }
    screen = await open(it, again)
    await it.broker.admin.put('/grants', {
      kind: 'machine',
      object: 'pc-1',
      subjectKind: 'user',
      subject: 'alice',
      verbs: ['start'],
    })
    await ended(screen, 'over', /^The (permission ended|console was revoked)/)
    await it.broker.admin.put('/grants', {
      kind: 'machine',
      object: 'pc-1',
      subjectKind: 'user',
      subject: 'alice',
      verbs: ['accessConsole'],
    })
    screen = await open(it, again)
    await it.broker.admin.post('/machines/pc-1/power', { action: 'poweroff' })
    await ended(screen, 'machineOff', /^The machine stopped|went off/)
  },
)

t.test('a viewer that takes nothing holds the display, not the memory', async (t) => {
  const it = await stage(t)
  const alice = await it.person('alice', 'accessConsole')
  const screen = await open(it, alice)
  screen.webSocket.pause()
  const [socket] = it.display.sockets
  if (!socket) throw new Error('nobody is at the display')
  let sentBytes = 0
  const piece = Buffer.alloc(65_536)
  const write = (): void => {
    while (!socket.destroyed && socket.write(piece)) sentBytes += piece.length
  }
  socket.on('drain', write)
  write()
  let before = -1
  await until(
    () => {
      const stands = sentBytes > 0 && sentBytes === before
      before = sentBytes
      return stands
    },
    { withinMs: 20_000, everyMs: 700, what: 'the display is held' },
  )
  t.ok(sentBytes < 32 * 1_048_576, `held after ${Math.round(sentBytes / 1_048_576)} MiB`)
  screen.viewer.stream.removeAllListeners('readable').resume()
  screen.webSocket.resume()
  const heard = sentBytes
  await until(() => sentBytes > heard, { withinMs: 5_000, what: 'it goes on' })
  screen.webSocket.terminate()
  await until(() => socket.destroyed, { withinMs: 5_000, what: 'the display is left' })
})
