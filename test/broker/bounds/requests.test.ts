import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import t from 'tap'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { Desk, newMac } from '../thin-clients/desk.js'

t.setTimeout(120_000)
const WITHIN_MS = 1_000
const broker = await SimulatedBroker.start({ hosts: 1, requestWithinMs: WITHIN_MS })
t.teardown(async () => {
  await broker.remove()
})

async function line(): Promise<{ socket: TLSSocket; said: () => string }> {
  const socket = connect({ port: broker.broker.port, host: '127.0.0.1', ca: broker.ca })
  socket.on('error', () => {})
  let said = ''
  socket.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  await once(socket, 'secureConnect')
  return { socket, said: () => said }
}

const head = (path: string, bytes: number, more = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ` +
  `application/json\r\n${more}Content-Length: ${bytes}\r\n\r\n`

t.test('a body that does not come is not waited for; a long poll is', async (t) => {
  const desk = new Desk(broker, newMac())
  await desk.ask() // it is new
  const { mark } = await desk.ask()
  const begun = performance.now()
  const poll = desk.ask(4 * WITHIN_MS)
  const slow = await Promise.all([...Array.from({ length: 5 }, async () => await line()), line()])
  for (const { socket } of slow) socket.write(head('/api/v1/login', 100) + '{"name":')
  await Promise.all(
    slow.map(async ({ socket }) => {
      if (!socket.closed) await once(socket, 'close')
    }),
  )
  for (const { said } of slow) t.match(said(), /^HTTP\/1\.1 408 /)
  t.equal((await poll).mark, mark)
  t.ok(
    performance.now() - begun > 3 * WITHIN_MS,
    'the poll was held longer than a request may take to come',
  )
})

t.test('a refusal does not wait for the body that was announced', async (t) => {
  const { socket, said } = await line()
  const begun = performance.now()
  socket.write(head('/api/v1/machines', 100_000) + '{"name":')
  await once(socket, 'close')
  t.match(said(), /^HTTP\/1\.1 401 /)
  t.match(said(), /\r\nconnection: close\r\n/i)
  t.ok(performance.now() - begun < WITHIN_MS)
})

t.test('a body is small, but where a document is sent', async (t) => {
  const text = 'x'.repeat(17_000)
  for (const path of ['/login', '/thin-clients/ask', '/pools', '/users', '/password'])
    t.match(await broker.admin.raw('POST', `/api/v1${path}`, { text }), {
      status: 413,
      body: { code: 'too_large' },
    })
  t.match(await broker.admin.raw('POST', '/api/v1/clients-xml/check', { text }), {
    status: 200,
    body: { accepted: false },
  })
  t.match(await broker.admin.raw('POST', '/api/v1/apply', { yaml: text }), { status: 400 })
  t.match(await broker.admin.raw('POST', '/api/v1/machines', { name: 'a', domainXml: text }), {
    status: 400,
  })
})

t.test(
  'connections of one address are bounded; those of a network of devices have more',
  async (t) => {
    const narrow = await SimulatedBroker.start({ hosts: 1, config: { connectionsPerAddress: 10 } })
    t.teardown(async () => {
      await narrow.remove()
    })
    const open = async (localAddress: string, count: number): Promise<TLSSocket[]> => {
      const sockets = Array.from({ length: count }, () =>
        connect({
          ca: narrow.ca,
          socket: connectPlain({ port: narrow.broker.port, host: '127.0.0.1', localAddress }).on(
            'error',
            () => {},
          ),
        }),
      )
      for (const socket of sockets) socket.on('error', () => {})
      await Promise.all(
        sockets.map(
          async (socket) =>
            await new Promise<void>((resolve) => {
              socket.once('secureConnect', resolve)
              socket.once('close', () => {
                resolve()
              })
            }),
        ),
      )
      return sockets
    }
    const up = (sockets: readonly TLSSocket[]): number =>
      sockets.filter((socket) => !socket.destroyed).length
    const strangers = await open('127.0.0.99', 40)
    t.equal(up(strangers), 10)
    t.equal((await narrow.anybody.raw('GET', '/healthz')).status, 200, 'others are served')
    for (const socket of strangers) socket.destroy()
    await until(async () => up(await open('127.0.0.99', 1)) === 1, {
      withinMs: 5_000,
      what: 'the address has room again',
    })
    await narrow.stop()
    await narrow.start({
      connectionsPerAddress: 10,
      thinClientNetworks: [[(await import('ipaddr.js')).default.parse('127.0.0.0'), 24]],
    })
    const devices = await open('127.0.0.99', 120)
    t.equal(up(devices), 100)
    for (const socket of devices) socket.destroy()
  },
)

t.test('connections that say nothing do not hold up the stop', async (t) => {
  const silent = await SimulatedBroker.start({ hosts: 1 })
  t.teardown(async () => {
    await silent.remove()
  })
  const { port } = silent.broker
  const plain = connectPlain(port, '127.0.0.1').on('error', () => {})
  const secure = connect({ port, host: '127.0.0.1', ca: silent.ca }).on('error', () => {})
  await Promise.all([once(plain, 'connect'), once(secure, 'secureConnect')])
  const begun = performance.now()
  await silent.stop()
  t.ok(performance.now() - begun < 5_000)
})

t.test(
  'every answer says how it may be kept, and refusals have the headers of safety',
  async (t) => {
    const refused = await broker.anybody.raw('GET', '/api/v1/machines')
    t.match(refused, { status: 401 })
    t.match(refused.headers, {
      'x-content-type-options': 'nosniff',
      'content-security-policy': /default-src 'none'/,
      'strict-transport-security': /^max-age=\d+$/,
      'cache-control': 'no-store',
    })
    for (const path of ['/session', '/users', '/tokens', '/events'])
      t.equal(
        (await broker.admin.raw('GET', `/api/v1${path}`)).headers['cache-control'],
        'no-store',
      )
    for (const path of ['/machines', '/jobs', '/openapi.json'])
      t.equal(
        (await broker.admin.raw('GET', `/api/v1${path}`)).headers['cache-control'],
        'private, no-cache',
      )
  },
)

t.test('texts that never change are made once, and asked for seldom', async (t) => {
  for (const [path, most] of [
    ['/api/v1/openapi.json', 60],
    ['/install/hypervisor.sh', 300],
  ] as const) {
    const first = await broker.anybody.raw('GET', path)
    t.equal(first.status, 200)
    const etag = String(first.headers['etag'])
    t.match(await broker.anybody.raw('GET', path, undefined, { 'if-none-match': etag }), {
      status: 304,
      text: '',
    })
    t.equal(Number(first.headers['x-ratelimit-limit']), most)
  }
})

t.test('TLS 1.2 has no ciphers without authentication of what they encrypt', async (t) => {
  const ask = async (ciphers: string): Promise<string | null> =>
    await new Promise((resolve) => {
      const socket = connect(
        {
          port: broker.broker.port,
          host: '127.0.0.1',
          ca: broker.ca,
          maxVersion: 'TLSv1.2',
          ciphers,
        },
        () => {
          resolve(socket.getCipher().name)
          socket.destroy()
        },
      )
      socket.on('error', () => {
        resolve(null)
      })
    })
  for (const weak of [
    'ECDHE-ECDSA-AES128-SHA',
    'ECDHE-ECDSA-AES256-SHA',
    'ECDHE-ECDSA-AES128-CCM8',
    'ECDHE-ECDSA-AES256-SHA384',
    'ECDHE-ARIA128-GCM-SHA256',
  ])
    t.equal(await ask(weak), null, weak)
  t.equal(await ask('ECDHE-ECDSA-AES128-GCM-SHA256'), 'ECDHE-ECDSA-AES128-GCM-SHA256')
})
