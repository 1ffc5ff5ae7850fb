import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, request, type Server } from 'node:https'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import Database from 'better-sqlite3'
import type { FastifyRequest } from 'fastify'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { chainHash } from '../../../broker/audit/store.js'
import { boundConnections } from '../../../broker/connections.js'
import { ProxyTokens } from '../../../broker/consoles/proxy-tokens.js'
import { MOST_TUNNELS, MOST_TUNNELS_OF_ONE, Tunnels } from '../../../broker/consoles/tunnels.js'
import type { Changes } from '../../../broker/live/changes.js'
import { Streams } from '../../../broker/live/streams.js'
import { Seldom } from '../../../broker/seldom.js'
import { openStore } from '../../../broker/store/open.js'
import { FirstContacts } from '../../../broker/thin-clients/first-contacts.js'
import type { Caller } from '../../../broker/users/caller.js'
import { ApiClient } from '../../support/api-client.js'
import { BrokerProcess, ROOT } from '../../support/broker-process.js'
import { until } from '../../support/until.js'
import { newMac } from '../thin-clients/desk.js'
import { flood, openSilent, stillOpen } from './flood.js'

// Every bound of docs/reference/bounds.md is reached, from outside where that is possible, and
// nobody else notices: the broker's event loop goes on.
const LOOP_P99_MS = 100
const LOOP_MAX_MS = 1_000
const OF_ADDRESS = 200
const TRUSTED = '127.1.0.0/16'
const EVENTS = 60_000

t.setTimeout(840_000)
const directory = mkdtempSync(join(tmpdir(), 'berth-bounds-'))
const broker = await BrokerProcess.start({
  directory,
  address: '127.0.0.1',
  port: 18_446,
  thinClientNetworks: [TRUSTED],
  simulatedHosts: true,
  settings: {
    'connections-per-address': OF_ADDRESS,
    'console-proxy-port': 18_447,
    'trusted-proxies': ['127.0.0.77'],
  },
})
await broker.stop()
writeEvents()
await broker.start()
const admin = await broker.login()
t.teardown(async () => {
  await broker.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** As many as a site writes in some weeks, chained as the broker chains them. */
function writeEvents(): void {
  const database = new Database(join(directory, 'data', 'berth.sqlite'))
  const last = database.prepare('SELECT id, hash FROM event ORDER BY id DESC LIMIT 1').get() as {
    id: number
    hash: string
  }
  const insert = database.prepare(
    'INSERT INTO event (id, at, actor, address, action, object, result, detail, hash) VALUES ' +
      '(?, ?, ?, ?, ?, ?, ?, ?, ?)',
  )
  database.transaction(() => {
    let { id, hash } = last
    for (let index = 0; index < EVENTS; index++) {
      id += 1
      const row = { id, at: Date.now(), actor: 'ann', address: '', action: 'machine.power' }
      const rest = { object: `machine:pc-${String(index)}`, result: 'ok', detail: '{}' }
      hash = chainHash(hash, { ...row, ...rest })
      insert.run(...Object.values(row), ...Object.values(rest), hash)
    }
  })()
  database.close()
}

/** The delay of the broker's event loop since the last look, in ms. */
async function loopDelay(): Promise<{ p99: number; max: number }> {
  const { text } = await admin.raw('GET', '/metrics')
  const of = (name: string): number =>
    1_000 *
    Number(
      new RegExp(`^berth_nodejs_eventloop_lag_${name}_seconds (\\S+)$`, 'm').exec(text)?.[1] ?? NaN,
    )
  return { p99: of('p99'), max: of('max') }
}

async function newPerson(name: string): Promise<ApiClient> {
  await admin.post('/users', { name, password: 'correct horse battery' })
  return await loginOf(name)
}
async function loginOf(name: string): Promise<ApiClient> {
  const { token } = await new ApiClient(broker.url, broker.ca).post<{ token: string }>('/login', {
    name,
    password: 'correct horse battery',
  })
  return new ApiClient(broker.url, broker.ca, token)
}

/** Opens streams until one is refused; gives how many are open, and what closes them. */
async function openStreams(clients: readonly ApiClient[], each: number): Promise<number> {
  const statuses = await Promise.all(
    clients.map(
      async ({ token }) =>
        await flood(broker, {
          path: '/api/v1/live',
          token,
          headers: { accept: 'text/event-stream' },
          from: '127.0.0.5',
          count: each,
          atOnce: each,
          leaveAfterMs: 3_000,
        }),
    ),
  )
  return statuses.reduce((sum, of) => sum + (of.get(200) ?? 0), 0)
}

const ask = (mac: string, hostname = 'desk'): object => ({ macs: [mac], hostname, version: '1' })

/** A first contact. */
async function fromDevice(mac: string, from: string): Promise<{ deviceKey: string }> {
  const text = JSON.stringify(ask(mac))
  return await new Promise((resolve, reject) => {
    request(
      `${broker.url}/api/v1/thin-clients/ask`,
      {
        method: 'POST',
        ca: broker.ca,
        localAddress: from,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
      },
      (response) => {
        response.setEncoding('utf8')
        response.once('data', (answer: string) => {
          resolve(JSON.parse(answer) as { deviceKey: string })
        })
      },
    )
      .on('error', reject)
      .end(text)
  })
}

interface Refused {
  readonly from: string
  readonly path?: string
  readonly body?: (index: number) => unknown
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly count: number
}
const posted = async ({
  path = '/api/v1/thin-clients/ask',
  ...more
}: Refused): Promise<Map<number, number>> => await flood(broker, { method: 'POST', path, ...more })

/** What reaches the bound of each row. A row of the document that has nothing here fails the test. */
const ROWS: Readonly<Record<string, (t: Test) => Promise<void>>> = {
  'connections of one address': async (t) => {
    const sockets = await openSilent(broker, { count: 2 * OF_ADDRESS, from: '127.0.0.9' })
    t.equal(stillOpen(sockets), OF_ADDRESS)
    t.equal((await admin.raw('GET', '/healthz')).status, 200, 'others are served')
    for (const socket of sockets) socket.destroy()
  },
  'requests that one address has open through a trusted proxy': async (t) => {
    const sockets = await openSilent(broker, { count: OF_ADDRESS + 20, from: '127.0.0.77' })
    let refused = 0
    for (const socket of sockets) {
      socket.on('data', (answer: Buffer) => {
        if (answer.toString().startsWith('HTTP/1.1 429 ')) refused += 1
      })
      socket.write(
        'POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ' +
          '198.51.100.7\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
      )
    }
    await until(() => refused === 20, { withinMs: 10_000, what: '20 are refused' })
    t.equal(refused, 20)
    for (const socket of sockets) socket.destroy()
  },
  'tokens of a person': async (t) => {
    const person = { name: 'many-tokens', password: 'a long password of theirs' }
    await admin.post('/users', person)
    const { token } = await admin.post<{ token: string }>('/login', person)
    const own = new ApiClient(admin.url, admin.ca, token)
    const statuses: number[] = []
    for (let index = 0; index < 55; index++)
      statuses.push((await own.raw('POST', '/api/v1/tokens', { name: `t${index}` })).status)
    t.equal(statuses.filter((status) => status === 201).length, 50)
    t.equal(statuses.at(-1), 409)
  },
  'wrong passwords': async (t) => {
    const stranger = new ApiClient(admin.url, admin.ca, null, '127.0.0.78')
    const statuses: number[] = []
    for (let index = 0; index < 8; index++)
      statuses.push(
        (await stranger.raw('POST', '/api/v1/login', { name: 'nobody', password: 'x' })).status,
      )
    t.same(statuses.slice(0, 5), [401, 401, 401, 401, 401])
    t.ok(statuses.includes(429))
  },
  'connections in all': async (t) => {
    const server: Server = createServer()
    boundConnections(server, {
      mostOfAddress: 100,
      mostInAll: 40,
      isTrusted: () => false,
      log: pino({ level: 'silent' }),
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const sockets = await openSilent(broker, { count: 60, from: '127.0.0.9', plain: true, port })
    await until(() => stillOpen(sockets) === 40, { withinMs: 5_000, what: '40 are left' })
    t.equal(stillOpen(sockets), 40)
    for (const socket of sockets) socket.destroy()
    server.close()
  },
  'time of a TLS handshake': async (t) => {
    const sockets = await openSilent(broker, { count: 150, from: '127.0.0.10', plain: true })
    await until(() => stillOpen(sockets) === 0, { withinMs: 40_000, what: 'all are closed' })
    t.pass('connections without a handshake were closed')
  },
  'time until a request has come in': async (t) => {
    const sockets = await openSilent(broker, { count: 150, from: '127.0.0.11' })
    for (const socket of sockets)
      socket.write(
        'POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: ' +
          'application/json\r\nContent-Length: 100\r\n\r\n{',
      )
    for (const socket of sockets) socket.resume()
    await until(() => stillOpen(sockets) === 0, { withinMs: 60_000, what: 'all are closed' })
    t.pass('requests that did not come were ended')
  },
  'body of a request': async (t) => {
    const text = 'x'.repeat(17_000)
    const statuses = await posted({
      path: '/api/v1/login',
      from: '127.0.0.12',
      count: 500,
      body: () => ({ text }),
    })
    t.equal([...statuses.keys()].filter((status) => status !== 413 && status !== 0).length, 0)
  },
  'live streams of a login': async (t) => {
    t.equal(await openStreams([await newPerson('ann')], 30), 20)
  },
  'live streams of a person': async (t) => {
    await newPerson('ben')
    const logins: ApiClient[] = []
    for (let index = 0; index < 4; index++) logins.push(await loginOf('ben'))
    t.equal(await openStreams(logins, 20), 80, 'each login has its own')
    const streams = new Streams({
      changes: { subscribe: () => {} } as unknown as Changes,
      stillIn: async () => await Promise.reject(new Error('nobody is looked at')),
      log: pino({ level: 'silent' }),
    })
    const open = (login: string, person: string): void => {
      streams.open({ key: person, login } as Caller, {
        request: {} as FastifyRequest,
        still: () => {},
        end: () => {},
      })
    }
    for (let index = 0; index < 500; index++) open(`login ${String(index % 25)}`, 'eve')
    t.throws(
      () => {
        open('login 26', 'eve')
      },
      { code: 'too_many_connections' },
    )
    for (let index = 0; index < 19_500; index++) open(`of ${String(index)}`, `p${String(index)}`)
    t.throws(
      () => {
        open('of nobody', 'nobody')
      },
      { code: 'too_many_connections' },
    )
    streams.stop()
  },
  'checks of logins with open streams': async (t) => {
    const watchers = [await newPerson('cid'), await loginOf('cid'), await loginOf('cid')]
    const open = openStreams(watchers, 20)
    for (let index = 0; index < 40; index++)
      await admin.patch('/users/cid', { displayName: `Cid ${String(index)}` })
    t.equal(await open, 60)
  },
  'checks of clients.xml': async (t) => {
    const client = (_: unknown, index: number): string =>
      `<client mac="52:54:00:00:${hex(index >> 8)}:${hex(index)}"><protocol>SPICE</protocol>` +
      `<machine-name>pc-${String(index)}</machine-name></client>`
    const clients = Array.from({ length: 3_000 }, client).join('')
    const text = `<thin-clients>${clients}</thin-clients>`
    const statuses = await posted({
      path: '/api/v1/clients-xml/check',
      from: '127.0.0.15',
      token: admin.token,
      count: 40,
      body: () => ({ text }),
    })
    // A refusal does not wait for the body, so its sender may find the connection closed.
    t.ok((statuses.get(200) ?? 0) <= 30)
    t.ok((statuses.get(429) ?? 0) > 0)
    t.same(
      [...statuses.keys()].filter((status) => ![200, 429, 0].includes(status)),
      [],
    )
  },
  'questions of one device': async (t) => {
    const mac = newMac()
    const asked = await fromDevice(mac, '127.1.0.1')
    const statuses = await posted({
      from: '127.1.0.1',
      headers: { authorization: `Device ${asked.deviceKey}` },
      count: 900,
      body: () => ask(mac),
    })
    t.ok((statuses.get(429) ?? 0) > 0, 'it is told to wait')
  },
  "what is remembered of a device's last answer": async (t) => {
    const mac = newMac()
    const statuses = await posted({
      from: '127.1.0.2',
      count: 500,
      body: (index) => ask(mac, `desk-${String(index)}`),
    })
    t.equal(statuses.get(200), 500, 'all those names are of one device')
  },
  'first contacts': async (t) => {
    const statuses = await posted({
      from: '127.1.0.3',
      count: 2_000,
      body: () => ask(newMac()),
    })
    t.ok((statuses.get(200) ?? 0) > 0)
    const store = await openStore(join(directory, 'first-contacts.sqlite'))
    const contacts = new FirstContacts({ store, now: () => 0 })
    for (let index = 0; index < 15_000; index++) if (await contacts.count()) t.fail('too early')
    t.type(await contacts.count(), 'string')
    await store.destroy()
  },
  'devices that nobody has accepted': async (t) => {
    await posted({ from: '127.0.0.13', count: 200, body: () => ask(newMac()) })
    const database = new Database(join(directory, 'data', 'berth.sqlite'), { readonly: true })
    const { count } = database
      .prepare(
        "SELECT count(*) AS count FROM thin_client WHERE accepted = 0 AND address = '127.0.0.13'",
      )
      .get() as { count: number }
    database.close()
    t.equal(count, 50)
  },
  'strangers that say a known MAC': async (t) => {
    const mac = newMac()
    await posted({ from: '127.1.0.4', count: 1, body: () => ask(mac) })
    const before = await eventsOf('thin-client.wrong-key')
    await posted({ from: '127.0.0.14', count: 500, body: () => ask(mac) })
    t.ok((await eventsOf('thin-client.wrong-key')) - before <= 1)
  },
  'pool documents': async (t) => {
    const pool = (index: number): string =>
      `apiVersion: berth/v1\nkind: Pool\nmetadata: { name: p${String(index)} }\nspec: { from: nothing, size: 1 }\n`
    const documents = (count: number): string =>
      Array.from({ length: count }, (_, index) => pool(index)).join('---\n')
    const applied = async (yaml: string): Promise<Map<number, number>> =>
      await posted({
        path: '/api/v1/apply',
        from: '127.0.0.15',
        token: admin.token,
        count: 3,
        body: () => ({ yaml, dryRun: true }),
      })
    t.match(await applied(documents(1_001)), new Map([[400, 3]]))
    const most = await applied(documents(1_000))
    t.equal(most.get(0) ?? 0, 0, 'it is answered')
  },
  'verifying the audit log': async (t) => {
    const verified = await admin.post<{ good: boolean; events: number }>('/events/verify')
    t.ok(verified.good)
    t.ok(verified.events >= EVENTS)
  },
  'openapi.json': async (t) => {
    const statuses = await flood(broker, {
      path: '/api/v1/openapi.json',
      from: '127.0.0.16',
      count: 100,
    })
    t.match(
      statuses,
      new Map([
        [200, 60],
        [429, 40],
      ]),
    )
  },
  'the installer': async (t) => {
    const statuses = await flood(broker, {
      path: '/install/hypervisor.sh',
      from: '127.0.0.17',
      count: 400,
    })
    t.match(
      statuses,
      new Map([
        [200, 300],
        [429, 100],
      ]),
    )
  },
  'requests of a person without a role': async (t) => {
    const { token } = await newPerson('dan')
    const changes = await flood(broker, {
      method: 'PUT',
      path: '/api/v1/grants',
      from: '127.0.0.18',
      token,
      count: 50,
      body: () => ({}),
    })
    t.equal(changes.get(403), 50, 'what is forbidden is so at once')
    const made = await flood(broker, {
      method: 'DELETE',
      path: '/api/v1/tokens/none',
      from: '127.0.0.18',
      token,
      count: 600,
    })
    t.ok((made.get(429) ?? 0) > 0, `changes: ${JSON.stringify([...made])}`)
    const looks = await flood(broker, {
      path: '/api/v1/desktops',
      from: '127.0.0.18',
      token,
      count: 6_000,
    })
    t.ok((looks.get(429) ?? 0) > 0, `looks: ${JSON.stringify([...looks])}`)
  },
  'unused tickets of screens and viewers': async (t) => {
    const tokens = new ProxyTokens(() => 0)
    const holder = { kind: 'person', name: 'ann' } as const
    const pass = { machineId: 'm', hypervisor: 'hv1', displayHost: '', port: 1, address: '' }
    for (let index = 0; index < 1_000; index++) tokens.issue({ ...pass, holder })
    t.equal(tokens.size, 50)
  },
  'connections through the broker to displays and guests': async (t) => {
    const tunnels = new Tunnels(() => 0)
    const open = (name: string): void => {
      const holder = { kind: 'person', name } as const
      tunnels.admit({ machineId: 'm', holder } as Parameters<Tunnels['admit']>[0], () => {})
    }
    for (let index = 0; index < MOST_TUNNELS_OF_ONE; index++) open('ann')
    t.throws(
      () => {
        open('ann')
      },
      { code: 'too_many_connections' },
    )
    for (let index = MOST_TUNNELS_OF_ONE; index < MOST_TUNNELS; index++) open(`p${String(index)}`)
    t.throws(
      () => {
        open('ben')
      },
      { code: 'too_many_connections' },
    )
  },
  'silent connections of the console proxy': async (t) => {
    const sockets = await openSilent(broker, {
      count: 200,
      from: '127.0.0.19',
      plain: true,
      port: 18_447,
    })
    await until(() => stillOpen(sockets) <= 100, { withinMs: 3_000, what: '100 are left' })
    await until(() => stillOpen(sockets) === 0, { withinMs: 15_000, what: 'none is left' })
    t.pass('they were closed')
  },
  'log lines about refused connections': async (t) => {
    const seldom = new Seldom(60_000, () => 0)
    const passed = Array.from({ length: 1_000 }, () => seldom.pass('127.0.0.9'))
    t.equal(passed.filter((held) => held !== null).length, 1)
  },
}

async function eventsOf(action: string): Promise<number> {
  const { events } = await admin.get<{ events: unknown[] }>(`/events?action=${action}&limit=500`)
  return events.length
}
function hex(value: number): string {
  return (value & 0xff).toString(16).padStart(2, '0')
}

const documented = readFileSync(join(ROOT, 'docs/reference/bounds.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| what | bound '))
  .map((line) => (line.split('|')[1] ?? '').trim())

t.test('every bound of the document is driven here', (t) => {
  t.same([...documented].sort(), Object.keys(ROWS).sort())
  t.end()
})

/** These wait most of their time, so they do it side by side, and beside them nothing else. */
const SLOW = [
  'time of a TLS handshake',
  'time until a request has come in',
  'silent connections of the console proxy',
]

t.test(SLOW.join(', '), async (t) => {
  await loopDelay()
  await Promise.all(SLOW.map(async (row) => await ROWS[row]?.(t)))
  await requireLoop(t)
})

t.test('all others, one after the other', async (t) => {
  await loopDelay()
  for (const [row, drive] of Object.entries(ROWS).filter(([row]) => !SLOW.includes(row)))
    await t.test(row, drive)
  await requireLoop(t)
})

/** Over the whole stretch: of the hundred samples of a second, a p99 says no more than the one longest turn. */
async function requireLoop(t: Test): Promise<void> {
  const { p99, max } = await loopDelay()
  t.ok(p99 < LOOP_P99_MS, `p99 of the event loop's delay: ${p99.toFixed(1)} ms`)
  t.ok(max < LOOP_MAX_MS, `longest delay of the event loop: ${max.toFixed(1)} ms`)
}
