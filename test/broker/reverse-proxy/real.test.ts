import { once } from 'node:events'
import { get, request } from 'node:https'
import t, { type Test } from 'tap'
import ipaddr from 'ipaddr.js'
import type { Screen } from '../../../broker/api/consoles.js'
import { ApiClient } from '../../support/api-client.js'
import { openScreen } from '../../support/rfb-client.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { startDisplay } from '../consoles/rfb-display.js'
import { clientsXml, Desk, entry, newMac, office, TRUSTED } from '../thin-clients/desk.js'
import { KINDS, type Proxy, startProxy } from './real-proxies.js'

t.setTimeout(480_000)
t.jobs = KINDS.length

/**
 * Past nginx's own 60 s, also when the broker answers up to a fifth earlier, as it does so that not
 * all devices come back at once.
 */
const LONG_POLL_MS = 80_000
const PROXY_DEFAULT_MS = 62_000
const PASSWORD = 'a long password of theirs'
const SPOOFED = { 'x-forwarded-for': '6.6.6.6', 'x-real-ip': '6.6.6.6', forwarded: 'for=6.6.6.6' }

interface Stage {
  readonly broker: SimulatedBroker
  readonly proxy: Proxy
  /** Somebody who comes through the proxy from this address. */
  readonly from: (address: string, token?: string) => ApiClient
}

async function stage(t: Test, kind: (typeof KINDS)[number]): Promise<Stage> {
  const broker = await office(2, {
    config: {
      connectionsPerAddress: 10,
      trustedProxies: [[ipaddr.parse('127.0.0.1'), 32]],
      // Of the thin clients' network is only what comes from there in front of the proxy.
      thinClientNetworks: [ipaddr.parseCIDR(TRUSTED)],
    },
  })
  t.teardown(async () => {
    await broker.remove()
  })
  const proxy = await startProxy(kind, {
    broker: `127.0.0.1:${broker.broker.port}`,
    brokerCa: broker.ca,
  })
  t.teardown(async () => {
    await proxy.stop()
  })
  return {
    broker,
    proxy,
    from: (address, token) => new ApiClient(proxy.url, proxy.ca, token ?? null, address),
  }
}

const logIn = async (
  who: ApiClient,
  origin: string,
  { name = 'admin', password = '', headers = {} as Record<string, string> },
) =>
  await who.raw(
    'POST',
    '/api/v1/session',
    { name, password },
    { origin, 'sec-fetch-site': 'same-origin', ...headers },
  )

/** The addresses of the latest events of an action. */
const addresses = async (broker: SimulatedBroker, action: string): Promise<string[]> =>
  (
    await broker.rows<{ address: string }>(
      'SELECT address FROM event WHERE action = ? ORDER BY id',
      action,
    )
  ).map(({ address }) => address)

for (const kind of KINDS)
  t.test(`behind ${kind}`, { buffered: true }, async (t) => {
    const it = await stage(t, kind)
    const longPoll = waitLong(it)
    await pages(t, it)
    await limits(t, it)
    await devices(t, it)
    await streams(t, it)
    await screens(t, it)
    await manyAtOnce(t, it)
    const { state, ms } = await longPoll
    t.equal(state, 'unknown', 'a long poll is answered by the broker')
    t.ok(ms >= PROXY_DEFAULT_MS, `after ${Math.round(ms)} ms, and cut by nobody`)
  })

async function waitLong({ proxy }: Stage): Promise<{ state: string; ms: number }> {
  const desk = new Desk(proxy, newMac(), '127.0.0.40')
  await desk.ask() // it is new
  await desk.ask()
  const begun = performance.now()
  const { state } = await desk.ask(LONG_POLL_MS)
  return { state, ms: performance.now() - begun }
}

async function pages(t: Test, { broker, proxy, from }: Stage): Promise<void> {
  const password = broker.adminPassword
  const answer = await logIn(from('127.0.0.7'), proxy.url, { password, headers: SPOOFED })
  t.match(answer, { status: 200, body: { name: 'admin' } }, 'a login under the name of the proxy')
  t.match(String((answer.headers['set-cookie'] as string[])[0]), /; Secure/)
  t.equal((await addresses(broker, 'login')).at(-1), '127.0.0.7', 'the event has the real address')
  for (const origin of [broker.url, 'https://evil.example', proxy.url.replace('https', 'http')])
    t.match(
      await logIn(from('127.0.0.7'), origin, { password }),
      { status: 403, body: { code: 'forbidden' } },
      `a page of ${origin} is another site's`,
    )
  const direct = new ApiClient(broker.url, broker.ca, null, '127.0.0.66')
  t.match(
    await logIn(direct, broker.url, { password, headers: SPOOFED }),
    { status: 200 },
    'the broker itself still answers',
  )
  t.equal((await addresses(broker, 'login')).at(-1), '127.0.0.66', 'where nobody is believed')
  const { installLine } = await from('127.0.0.7', broker.token).get<{ installLine: string }>(
    '/hypervisors/hv1/install-line',
  )
  t.notMatch(installLine, `:${proxy.port}/`, 'hosts are sent to the broker itself')
}

async function limits(t: Test, { broker, from }: Stage): Promise<void> {
  await broker.admin.post('/users', { name: 'ann', password: PASSWORD })
  const guess = async (index: number): Promise<number> =>
    (
      await from('127.0.0.8').raw(
        'POST',
        '/api/v1/login',
        { name: `nobody-${index}`, password: 'wrong' },
        { 'x-forwarded-for': `10.9.${index}.1` },
      )
    ).status
  const seen: number[] = []
  for (let index = 0; index < 110; index += 10)
    seen.push(
      ...(await Promise.all(Array.from({ length: 10 }, async (_, more) => guess(index + more)))),
    )
  // On a slow machine the first waits, of seconds, pass meanwhile.
  const wrong = seen.filter((status) => status === 401).length
  t.ok(wrong >= 100 && wrong <= 103, `so many tries has one address: ${wrong}`)
  t.equal(seen.filter((status) => status === 429).length, 110 - wrong, 'whatever it says of itself')
  const ann = { name: 'ann', password: PASSWORD }
  t.match(await from('127.0.0.8').raw('POST', '/api/v1/login', ann), { status: 429 })
  t.match(
    await from('127.0.0.9').raw('POST', '/api/v1/login', ann),
    { status: 200 },
    'others behind the proxy log in',
  )
}

async function devices(t: Test, { broker, proxy }: Stage): Promise<void> {
  await clientsXml(broker, entry('ip="127.0.0.21"', 'spice:pc-1'))
  const desk = new Desk(proxy, newMac(), '127.0.0.21')
  await desk.ask()
  t.type(desk.key, 'string', 'first contact from a network of thin clients')
  const { state } = await desk.ask()
  t.not(state, 'unknown', 'an entry by ip is found')
  const other = new Desk(proxy, newMac(), '127.0.0.22')
  await other.ask()
  t.type(other.key, 'string')
  t.equal((await other.ask()).state, 'unknown', 'and is nobody else’s')
  const strange = new Desk(proxy, newMac(), '127.0.0.222')
  t.equal((await strange.ask()).state, 'unknown')
  t.equal(strange.key, null, 'the proxy’s own address lets nobody in')
  const { thinClients } = await broker.admin.get<{ thinClients: Array<{ address: string }> }>(
    '/thin-clients',
  )
  t.same(
    ['127.0.0.21', '127.0.0.22', '127.0.0.222'].filter(
      (one) => !thinClients.some(({ address }) => address === one),
    ),
    [],
    'devices are shown with their own addresses',
  )
}

/** What has come within a time on a stream that never ends. */
async function streams(t: Test, { broker, proxy }: Stage): Promise<void> {
  let text = ''
  const message = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    get(
      `${proxy.url}/api/v1/live`,
      { ca: proxy.ca, agent: false, headers: { authorization: `Bearer ${broker.token}` } },
      resolve,
    ).on('error', reject)
  })
  message.setEncoding('utf8')
  message.on('data', (piece: string) => {
    text += piece
  })
  await until(() => text.includes('event: hello'), { withinMs: 20_000, what: 'the stream begins' })
  const begun = performance.now()
  await broker.admin.post('/users', { name: 'bob', password: PASSWORD })
  await until(() => text.includes('"people"'), { withinMs: 20_000, what: 'the change arrives' })
  t.ok(performance.now() - begun < 3_000, 'a change is told at once, and not when a buffer is full')
  message.destroy()
  const { job } = await broker.admin.post<{ job: string }>('/machines/pc-2/power', {
    action: 'start',
  })
  await broker.admin.ended(job)
  const events = await broker.admin.raw('GET', `/api/v1/jobs/${job}/events`)
  t.equal(events.headers['x-accel-buffering'], 'no', 'nor is the progress of a job held back')
}

async function screens(t: Test, { broker, proxy, from }: Stage): Promise<void> {
  const display = await startDisplay()
  broker.host().onDisplay = () => display.connection()
  const me = from('127.0.0.30', broker.token)
  const { ticket } = await me.post<Screen>('/machines/pc-2/screen')
  const place = { url: proxy.url, ca: proxy.ca, machine: 'pc-2' }
  const token = { authorization: `Bearer ${broker.token}` }
  await t.rejects(
    openScreen({ ...place, headers: { ...token, origin: 'https://evil.example' } }, ticket),
    /403/,
    'another site opens no console',
  )
  const { viewer, webSocket, closed } = await openScreen(
    { ...place, headers: { ...token, origin: proxy.url } },
    ticket,
  )
  await (await viewer.begin()).frame()
  t.equal(viewer.width, 4, 'the screen is seen through the proxy')
  t.equal((await addresses(broker, 'console.ticket')).at(-1), '127.0.0.30')
  webSocket.close()
  await closed
  await display.close()
}

/** Each holds a long poll; the proxy's own connections to the broker are of one address. */
async function manyAtOnce(t: Test, { broker, proxy, from }: Stage): Promise<void> {
  const hold = async (address: string): Promise<{ status: number; drop: () => void }> => {
    const body = JSON.stringify({ name: 'pc-1', waitMs: 60_000 })
    const sent = request(`${proxy.url}/api/v1/live`, {
      ca: proxy.ca,
      agent: false,
      localAddress: address,
      headers: { authorization: `Bearer ${broker.token}` },
    })
    sent.on('error', () => {})
    sent.end(body)
    const [answer] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
    answer.on('error', () => {}).resume()
    return { status: answer.statusCode ?? 0, drop: () => sent.destroy() }
  }
  const open = [
    ...(await Promise.all(Array.from({ length: 12 }, async () => await hold('127.0.0.150')))),
    ...(await Promise.all(Array.from({ length: 8 }, async () => await hold('127.0.0.151')))),
  ]
  const statuses = open.map(({ status }) => status)
  t.equal(statuses.slice(0, 12).filter((status) => status === 200).length, 10)
  t.equal(statuses.slice(0, 12).filter((status) => status === 429).length, 2)
  t.same(new Set(statuses.slice(12)), new Set([200]), 'others have a bound of their own')
  for (const { drop } of open) drop()
  await until(async () => (await from('127.0.0.150').raw('GET', '/healthz')).status === 200, {
    withinMs: 20_000,
    what: 'there is room again when requests have ended',
  })
}
