import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { WebSocket } from 'ws'
import type { Desktop } from '../../../broker/api/assignments.js'
import type { MachinePathList } from '../../../broker/api/consoles.js'
import { until } from '../../support/until.js'
import { cli, forwarding, readAll, stage } from './port-forward-stage.js'

t.setTimeout(180_000)

t.test(
  'bytes go both ways whole, an end in one direction leaves the other open, and many connections run side by side',
  async (t) => {
    const it = await stage(t)
    const { running, port } = await forwarding(t, it, '0:7')
    const bytes = randomBytes(20 * 1_048_576)
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
        const heard = readAll(socket)
        socket.end(bytes)
        t.equal(
          createHash('sha256')
            .update(await heard)
            .digest('hex'),
          createHash('sha256').update(bytes).digest('hex'),
        )
        socket.destroy()
      }),
    )
    await until(() => it.echo.sockets.size === 0, {
      withinMs: 10_000,
      what: 'nothing is left open',
    })
    t.match(
      await it.broker.rows(
        "SELECT actor, object, detail FROM event WHERE action = 'machine.port-forward' LIMIT 1",
      ),
      [{ actor: 'admin', object: 'machine:pc-1', detail: '{"port":7,"guest":"192.168.122.10"}' }],
    )
    running.process.kill('SIGINT')
    t.match(await running.ended, { code: 130 })
  },
)

t.test('a reader that takes nothing holds the guest, not the memory', async (t) => {
  const it = await stage(t)
  let sentBytes = 0
  const flood = createServer((socket) => {
    socket.on('error', () => {})
    const piece = Buffer.alloc(65_536)
    const write = (): void => {
      while (!socket.destroyed && socket.write(piece)) sentBytes += piece.length
    }
    socket.on('drain', write)
    write()
  })
  flood.listen(0, '127.0.0.1')
  await once(flood, 'listening')
  t.teardown(() => {
    flood.close()
  })
  it.broker.host().onConnection = () =>
    connect({ port: (flood.address() as AddressInfo).port, host: '127.0.0.1' })
  const { port } = await forwarding(t, it, '0:7')
  const socket = connect({ port, host: '127.0.0.1' })
  socket.pause()
  let before = -1
  await until(
    () => {
      const stands = sentBytes > 0 && sentBytes === before
      before = sentBytes
      return stands
    },
    { withinMs: 20_000, everyMs: 700, what: 'the guest is held' },
  )
  t.ok(sentBytes < 64 * 1_048_576, `held after ${Math.round(sentBytes / 1_048_576)} MiB`)
  socket.destroy()
})

t.test('the end of the machine ends it with a sentence', async (t) => {
  const it = await stage(t)
  const { running, port } = await forwarding(t, it, '0:7')
  const socket = connect({ port, host: '127.0.0.1' })
  socket.write('x')
  await once(socket, 'data')
  await it.broker.admin.post('/machines/pc-1/power', { action: 'poweroff' })
  t.match(await running.ended, {
    code: 1,
    stderr: /The connection to port 7 of pc-1 was cut: the machine stopped\./,
  })
})

t.test('what cannot be reached is said in a sentence', async (t) => {
  const it = await stage(t)
  const { running, port } = await forwarding(t, it, '0:8')
  const { addresses } = it.broker.host()
  const isShown = async (text: string): Promise<void> => {
    connect({ port, host: '127.0.0.1' }).on('error', () => {})
    const seen = (): boolean => running.seen().includes(text)
    await until(seen, { withinMs: 5_000, what: `it shows: ${text}` })
  }
  await isShown('Nothing answers at 192.168.122.10 port 8')
  addresses.clear() // a guest that starts
  await isShown('hv1 knows no address of pc-1')
  addresses.set('pc-1', ['192.168.122.11'])
  await isShown('Nothing answers at 192.168.122.11 port 8')
  t.match(await cli.run(['port-forward', 'pc-1', '70000'], { env: it.env }), { code: 2 })
})

t.test('permission comes first, and a refusal is an ordinary answer', async (t) => {
  const { broker } = await stage(t)
  const { token: observer } = await broker.admin.post<{ token: string }>('/tokens', {
    name: 'looks',
    scopes: ['observe'],
  })
  const open = async (
    query: string,
    headers: Record<string, string>,
    name = 'pc-1',
  ): Promise<string> =>
    await new Promise((resolve) => {
      const webSocket = new WebSocket(
        `${broker.url.replace('https', 'wss')}/api/v1/machines/${name}/port-forward${query}`,
        { ca: broker.ca, headers },
      )
      webSocket.on('error', () => {})
      webSocket.on('open', () => {
        webSocket.terminate()
        resolve('open')
      })
      webSocket.on('unexpected-response', (_request, response) => {
        let text = ''
        response
          .on('data', (chunk: Buffer) => {
            text += chunk.toString()
          })
          .on('end', () => {
            resolve(`${response.statusCode ?? 0} ${(JSON.parse(text) as { code: string }).code}`)
          })
      })
    })
  const admin = { authorization: `Bearer ${broker.token}` }
  t.equal(await open('?port=7', {}), '401 unauthenticated')
  t.equal(await open('?port=7', { authorization: `Bearer ${observer}` }), '403 forbidden')
  t.equal(await open('?port=7', { ...admin, origin: 'https://evil.example' }), '403 forbidden')
  for (const query of ['', '?port=0', '?port=65536', '?port=x', '?port=7&host=10.0.0.1'])
    t.equal(await open(query, admin), '400 invalid_request', query)
  t.equal(await open('?port=7', admin, 'nowhere'), '404 not_found')
  t.equal(await open('?port=9', admin), '502 connection_refused')
  t.equal(await open('?port=7', admin), 'open')
  t.match(await broker.admin.raw('GET', '/api/v1/machines/pc-1/port-forward?port=7'), {
    status: 426,
  })
  t.equal(
    (
      await broker.admin.raw('GET', '/api/v1/machines', undefined, {
        connection: 'upgrade',
        upgrade: 'h2c',
      })
    ).status,
    200,
    'other routes do not mind',
  )
})

t.test('who uses his desktop by a forwarded port only counts as connected', async (t) => {
  const it = await stage(t)
  await it.broker.admin.post('/machines/pc-1/assign', { user: 'alice' })
  const desktop = async (): Promise<Desktop | undefined> =>
    (await it.broker.admin.get<{ desktops: Desktop[] }>('/desktops')).desktops[0]
  t.match(await desktop(), { machine: 'pc-1', connectedAt: null })
  const { port } = await forwarding(t, it, '0:7')
  const socket = connect({ port, host: '127.0.0.1' })
  await until(async () => (await desktop())?.phase === 'connected', {
    withinMs: 5_000,
    what: 'he is seen',
  })
  t.match(await it.broker.admin.get('/machines/pc-1'), { viewers: ['127.0.0.1'] })
  t.match(await it.broker.admin.get('/sessions'), { sessions: [] }, 'nobody has the screen')
  socket.destroy()
  await until(async () => (await desktop())?.phase !== 'connected', {
    withinMs: 5_000,
    what: 'he has left',
  })
  t.match(await desktop(), { disconnectedAt: String })
})

t.test('nobody has more than his share of connections', async (t) => {
  const it = await stage(t)
  const { running, port } = await forwarding(t, it, '0:7')
  const sockets = Array.from({ length: 210 }, () =>
    connect({ port, host: '127.0.0.1' }).on('error', () => {}),
  )
  await until(
    () => running.seen().includes('You already have 200 connections through the broker'),
    { withinMs: 20_000, what: 'the bound is told' },
  )
  for (const socket of sockets) socket.destroy()
  await until(() => it.echo.sockets.size === 0, { withinMs: 10_000, what: 'all are closed' })
  const socket = connect({ port, host: '127.0.0.1' })
  socket.write('again')
  t.equal(String((await once(socket, 'data'))[0]), 'again')
  socket.destroy()
})

t.test('berth connect --print shows every way with what to type', async (t) => {
  const it = await stage(t)
  const { paths } = await it.broker.admin.get<MachinePathList>('/machines/pc-1/paths')
  t.same(
    paths.map(({ protocol, via, reachable }) => [protocol, via, reachable]),
    [
      ['spice', 'direct', true],
      ['spice', 'proxy', false],
      ['vnc', 'browser', true],
      ['rdp', 'forward', false],
      ['ssh', 'forward', true],
    ],
  )
  t.same(paths.at(-1)?.commands, ['berth port-forward pc-1 10022:22', 'ssh -p 10022 127.0.0.1'])
  t.match(await cli.run(['connect', 'pc-1', '--print'], { env: it.env }), {
    code: 0,
    stdout:
      /ssh +forward +yes +192\.168\.122\.10 port 22 +berth port-forward pc-1 10022:22; then ssh -p 10022 127\.0\.0\.1/,
  })
  t.match(await cli.run(['session', 'list'], { env: it.env }), { code: 0, stdout: /^MACHINE/ })
})
