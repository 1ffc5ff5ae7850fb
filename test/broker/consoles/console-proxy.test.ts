import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import type { Session } from '../../../broker/api/consoles.js'
import { ProxyTokens } from '../../../broker/consoles/proxy-tokens.js'
import { until } from '../../support/until.js'
import { console, request, say, stage, tunnel, TURNED_AWAY } from './console-proxy-stage.js'

t.setTimeout(360_000)

t.test(
  'a token opens one display for all channels of one viewer, and dies with the last',
  async (t) => {
    const { broker, port, echo, log } = await stage(t)
    const { host, tlsPort, proxy } = await console(broker)
    t.equal(proxy, `http://127.0.0.1:${port}`)
    t.match(host, /^[0-9a-f]{48}\.berth\.invalid$/, 'at most 63 characters a label, 192 bits')
    const target = `${host}:${tlsPort}`
    const first = await tunnel(port, target, 'with the first bytes')
    t.equal(String((await once(first, 'data'))[0]), 'with the first bytes')
    const others = await Promise.all(
      Array.from({ length: 9 }, async () => await tunnel(port, target.toUpperCase())),
    )
    await until(() => echo.sockets.size === 10, { withinMs: 5_000, what: 'ten channels are open' })
    t.equal(await say(port, request(target), '127.0.0.2'), TURNED_AWAY, 'another source address')
    t.equal(await say(port, request(`${host}:22`)), TURNED_AWAY, 'another port')
    broker.host().seat('pc-1', ['127.0.0.1'])
    await until(
      async () =>
        (await broker.admin.get<{ sessions: Session[] }>('/sessions')).sessions.length === 1,
      { withinMs: 5_000, what: 'it is seen' },
    )
    t.match(await broker.admin.get('/sessions'), {
      sessions: [{ holder: { name: 'admin' }, via: 'proxy', address: '127.0.0.1' }],
    })
    first.end()
    await once(first.resume(), 'end')
    const more = await tunnel(port, target)
    for (const socket of [...others, more]) socket.destroy()
    await until(() => echo.sockets.size === 0, {
      withinMs: 5_000,
      what: "the display's side is closed too",
    })
    t.equal(await say(port, request(target)), TURNED_AWAY, 'after its death')
    t.notMatch(log(), host.slice(0, 20), 'no token in the log')
  },
)

t.test(
  'many megabytes come through whole, with a half-close at the end, and a slow reader holds the sender',
  async (t) => {
    const { broker, port, echo } = await stage(t)
    const { host, tlsPort } = await console(broker)
    const socket = await tunnel(port, `${host}:${tlsPort}`)
    const piece = Buffer.alloc(1_048_576, 7)
    socket.pause()
    for (let sent = 0; sent < 64; sent++) socket.write(piece)
    const far = [...echo.sockets][0]
    await until(() => (far?.writableNeedDrain ?? false) || (far?.writableLength ?? 0) > 0, {
      withinMs: 10_000,
      what: 'the far side waits',
    })
    t.ok(
      socket.writableLength > 10 * 1_048_576,
      'what the reader does not take stays with the sender',
    )
    socket.end()
    let heard = 0
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.length
    })
    socket.resume()
    await once(socket, 'end')
    t.equal(heard, 64 * 1_048_576)
  },
)

t.test('takeover, release and the end of the machine close the tunnels at once', async (t) => {
  const { broker, port } = await stage(t)
  const open = async (): Promise<{ socket: Socket; target: string }> => {
    const { host, tlsPort } = await console(broker, { take: true })
    return { socket: await tunnel(port, `${host}:${tlsPort}`), target: `${host}:${tlsPort}` }
  }
  const mine = await open()
  await broker.run("UPDATE console_seat SET holder = 'alice', connected_at = ?", Date.now())
  broker.host().seat('pc-1', ['127.0.0.1'])
  await until(
    async () =>
      (await broker.admin.get<{ viewers: string[] }>('/machines/pc-1')).viewers.length === 1,
    { withinMs: 5_000, what: 'it is seen' },
  )
  const taken = await console(broker, { take: true })
  t.match(taken, { taken: { from: { name: 'alice' } }, proxy: `http://127.0.0.1:${port}` })
  t.equal(
    await say(port, request(mine.target)).then((heard) => heard === TURNED_AWAY),
    true,
    'the token of before lets nobody in',
  )
  const next = await tunnel(port, `${taken.host}:${taken.tlsPort}`)
  const closed = once(next.resume(), 'end')
  await broker.admin.post('/machines/pc-1/power', { action: 'poweroff' })
  await closed
  t.equal(await say(port, request(`${taken.host}:${taken.tlsPort}`)), TURNED_AWAY)
})

t.test('an enemy learns nothing and takes no place for long', async (t) => {
  const { broker, port } = await stage(t)
  const { host, tlsPort } = await console(broker)
  for (const method of ['GET', 'POST', 'PUT', 'OPTIONS', 'DELETE'])
    t.match(await say(port, request('/', method)), /^HTTP\/1\.1 405 /, method)
  const strange = [
    'localhost:22',
    '127.0.0.1:5901',
    `${host.slice(0, -1)}:${tlsPort}`,
    `${host}:0`,
    `${host}:99999`,
    `user@${host}:${tlsPort}`,
    `x${host}:${tlsPort}`,
    `${'a'.repeat(250)}:1`,
    '[::1]:22',
    `${host}`,
  ]
  for (const target of strange)
    t.match(
      await say(port, request(target)),
      /^HTTP\/1\.1 40[03] \w+ ?\w*\r\ncontent-length: 0\r\nconnection: close\r\n\r\n$/,
      target.slice(0, 60),
    )
  for (const garbage of [
    '\u0016\u0003\u0001\u0002\u0000\u0001',
    'REDQ\u0002\u0000',
    '\r\n\r\n\r\nx',
    `CONNECT ${host}:${tlsPort} HTTP/9.9\r\n\r\n`,
    `CONNECT ${host}:${tlsPort} HTTP/1.1\r\nX: ${'y'.repeat(10_000)}\r\n\r\n`,
  ]) {
    t.notMatch(await say(port, garbage), /200/, JSON.stringify(garbage.slice(0, 20)))
  }
  const started = Date.now()
  const slow = connect({ port, host: '127.0.0.1' })
  slow
    .on('error', () => {})
    .resume()
    .write(`CONNECT ${host}:${tlsPort} HTTP/1.1\r\n`)
  const drip = setInterval(() => {
    slow.write('x')
  }, 200)
  await once(slow, 'close')
  clearInterval(drip)
  t.ok(
    Date.now() - started < 9_000,
    `a header that never ends is cut after ${Date.now() - started} ms`,
  )
  const mine = await tunnel(port, `${host}:${tlsPort}`)
  t.ok(mine.writable, 'and the token still serves its owner')
  mine.destroy()
})

t.test('hundreds of silent connections keep nobody out', async (t) => {
  const { broker, port } = await stage(t)
  const { host, tlsPort } = await console(broker)
  const silent: Socket[] = []
  while (silent.length < 500) {
    // fewer at a time than the kernel queues for one listener
    silent.push(
      ...Array.from({ length: 125 }, (_, index) =>
        connect({ port, host: '127.0.0.1', localAddress: `127.0.1.${(index % 4) + 1}` })
          .on('error', () => {})
          .resume(),
      ),
    )
    await until(() => silent.every((socket) => !socket.connecting), {
      withinMs: 30_000,
      everyMs: 5,
      what: 'they are connected or refused',
    })
  }
  const mine = await until(async () => await tunnel(port, `${host}:${tlsPort}`), {
    withinMs: 30_000,
    everyMs: 200,
    what: 'the owner of a token gets in',
  })
  t.ok(mine)
  await until(() => silent.every((socket) => socket.destroyed || socket.readyState === 'closed'), {
    withinMs: 60_000,
    what: 'the silent ones are gone',
  })
  mine.destroy()
})

t.test(
  'a display that does not answer is told, and does not use up the place of others',
  async (t) => {
    const { broker, port } = await stage(t)
    broker.host().onConnection = () => null
    const { host, tlsPort } = await console(broker)
    t.match(await say(port, request(`${host}:${tlsPort}`)), /^HTTP\/1\.1 502 /)
  },
)

t.test('tokens: the first CONNECT within 30 s, all others while one is open', async (t) => {
  let now = 0
  const tokens = new ProxyTokens(() => now)
  const pass = {
    machineId: 'm',
    hypervisor: 'hv1',
    displayHost: '127.0.0.1',
    port: 5901,
    address: '::ffff:10.0.0.1',
    holder: { kind: 'person', name: 'alice' },
  } as const
  const late = tokens.issue(pass)
  now = 30_001
  t.equal(tokens.enter(late, 5901, '10.0.0.1'), null)
  const token = tokens.issue(pass)
  t.equal(tokens.size, 1, 'what nobody used is forgotten')
  const [one, two] = [tokens.enter(token, 5901, '10.0.0.1'), tokens.enter(token, 5901, '10.0.0.1')]
  t.ok(one && two)
  now += 3_600_000
  one?.leave()
  const three = tokens.enter(token, 5901, '10.0.0.1')
  t.ok(three, 'an hour later, while a channel is open')
  two?.leave()
  three?.leave()
  t.equal(tokens.enter(token, 5901, '10.0.0.1'), null)
  const revoked = tokens.issue(pass)
  tokens.revoke(({ machineId }) => machineId === 'm')
  t.equal(tokens.enter(revoked, 5901, '10.0.0.1'), null)
  const crowded = tokens.issue(pass)
  const channels = Array.from({ length: 41 }, () => tokens.enter(crowded, 5901, '10.0.0.1'))
  t.equal(channels.filter((channel) => channel !== null).length, 40)
})
