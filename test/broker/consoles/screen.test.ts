import t, { type Test } from 'tap'
import { SCREEN_CLOSES } from '../../../broker/api/consoles.js'
import { ScreenTickets } from '../../../broker/consoles/screen-tickets.js'
import { ApiClient } from '../../support/api-client.js'
import { type OpenScreen } from '../../support/rfb-client.js'
import { until } from '../../support/until.js'
import { actions, ask, open, type Person, seated, show, stage, type Stage } from './screen-stage.js'

t.setTimeout(240_000)

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
    t.same(it.display.shared, [1], 'others who watch are not cut')
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
    await endIsWrittenDown(t, webSocket, closed, it)
  },
)

async function endIsWrittenDown(
  t: Test,
  webSocket: OpenScreen['webSocket'],
  closed: OpenScreen['closed'],
  it: Stage,
): Promise<void> {
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
}

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
    await endsWithTheRight(it, alice, ended)
  },
)

async function endsWithTheRight(
  it: Stage,
  alice: Person,
  ended: (screen: OpenScreen, close: keyof typeof SCREEN_CLOSES, reason: RegExp) => Promise<void>,
): Promise<void> {
  let last = await open(it, alice)
  await alice.api.delete('/sessions')
  await ended(last, 'over', /^The permission ended/)
  const { token } = await it.broker.anybody.post<{ token: string }>('/login', {
    name: 'alice',
    password: 'a long password of theirs',
  })
  const again = { ...alice, token, api: new ApiClient(it.broker.url, it.broker.ca, token) }
  last = await open(it, again)
  await it.broker.admin.put('/grants', {
    kind: 'machine',
    object: 'pc-1',
    subjectKind: 'user',
    subject: 'alice',
    verbs: ['start'],
  })
  await ended(last, 'over', /^The (permission ended|console was revoked)/)
  await it.broker.admin.put('/grants', {
    kind: 'machine',
    object: 'pc-1',
    subjectKind: 'user',
    subject: 'alice',
    verbs: ['accessConsole'],
  })
  last = await open(it, again)
  await it.broker.admin.post('/machines/pc-1/power', { action: 'poweroff' })
  await ended(last, 'machineOff', /^The machine stopped|went off/)
}

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
