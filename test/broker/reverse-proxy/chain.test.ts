import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { fileURLToPath } from 'node:url'
import ipaddr from 'ipaddr.js'
import t, { type Test } from 'tap'
import { ApiClient } from '../../support/api-client.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { clientsXml, Desk, entry, newMac, office } from '../thin-clients/desk.js'
import { type Proxy, startProxy } from './real-proxies.js'

t.setTimeout(240_000)
const HERE = 'BERTH_TEST_OWN_NETWORK'
const PASSWORD = 'a long password of theirs'
const FRONT = 'fd00:be::1'
/** Two of one network (/64), and one of another. */
const [ONE, TWO, OTHER] = ['fd00:be:0:1::11', 'fd00:be:0:1::12', 'fd00:be:0:2::11']
const DESK = 'fd00:be:0:3::11'
/** What people write themselves: somebody else's address, a proxy's, a whole chain, other headers. */
const LIES: ReadonlyArray<Record<string, string>> = [
  { 'x-forwarded-for': OTHER },
  { 'x-forwarded-for': `${OTHER}, 127.0.0.1` },
  { 'x-forwarded-for': '127.0.0.1' },
  { 'x-forwarded-for': `[${OTHER}]:443, unknown` },
  { 'x-real-ip': OTHER, forwarded: `for="[${OTHER}]"` },
]

// Addresses of its own: a network namespace with nothing but its loopback.
if (process.env[HERE] === undefined) {
  const addresses = [FRONT, ONE, TWO, OTHER, DESK].map(
    (address) => `ip address add ${address}/128 dev lo nodad`,
  )
  await t.spawn(
    'unshare',
    [
      '--net',
      '--',
      'sh',
      '-ec',
      `ip link set lo up; ${addresses.join('; ')}; exec "$@"`,
      'sh',
      process.execPath,
      ...process.execArgv,
      fileURLToPath(import.meta.url),
    ],
    { env: { ...process.env, [HERE]: '1' } },
    'with addresses of its own',
  )
} else
  for (const [outer, inner] of [
    ['nginx', 'haproxy'],
    ['haproxy', 'nginx'],
  ] as const)
    t.test(`${outer}, then ${inner}, then the broker`, async (t) => {
      const it = await stage(t, outer, inner)
      await who(t, it)
      await guesses(t, it)
      await devices(t, it)
      await openAtOnce(t, it)
    })

interface Stage {
  readonly broker: SimulatedBroker
  readonly proxy: Proxy
  readonly from: (address: string, token?: string) => ApiClient
}

async function stage(
  t: Test,
  outer: 'nginx' | 'haproxy',
  inner: 'nginx' | 'haproxy',
): Promise<Stage> {
  const broker = await office(1, {
    config: {
      connectionsPerAddress: 10,
      publicNames: ['127.0.0.1', 'localhost', FRONT],
      trustedProxies: [[ipaddr.parse('127.0.0.1'), 32]],
      thinClientNetworks: [ipaddr.parseCIDR('fd00:be:0:3::/64')],
    },
  })
  t.teardown(async () => {
    await broker.remove()
  })
  const behind = await startProxy(inner, {
    broker: `127.0.0.1:${broker.broker.port}`,
    brokerCa: broker.ca,
  })
  t.teardown(async () => {
    await behind.stop()
  })
  const proxy = await startProxy(outer, {
    broker: `127.0.0.1:${behind.port}`,
    brokerCa: behind.ca,
    listen: FRONT,
  })
  t.teardown(async () => {
    await proxy.stop()
  })
  await broker.admin.post('/users', { name: 'ann', password: PASSWORD })
  return {
    broker,
    proxy,
    from: (address, token) => new ApiClient(proxy.url, proxy.ca, token ?? null, address),
  }
}

async function logIn(
  who: ApiClient,
  name: string,
  headers: Record<string, string> = {},
): Promise<number> {
  const password = name === 'ann' ? PASSWORD : 'wrong'
  return (await who.raw('POST', '/api/v1/login', { name, password }, headers)).status
}

async function who(t: Test, { broker, from }: Stage): Promise<void> {
  const last = async (): Promise<string | undefined> =>
    (
      await broker.rows<{ address: string }>(
        "SELECT address FROM event WHERE action = 'login' ORDER BY id",
      )
    ).at(-1)?.address
  for (const lie of [{}, ...LIES]) {
    t.equal(await logIn(from(ONE), 'ann', lie), 200)
    t.equal(await last(), ONE, JSON.stringify(lie))
  }
  const direct = new ApiClient(broker.url, broker.ca, null, '127.0.0.66')
  t.equal(await logIn(direct, 'ann', { 'x-forwarded-for': OTHER }), 200)
  t.equal(await last(), '127.0.0.66', 'past the proxies nobody is believed')
}

async function guesses(t: Test, { from }: Stage): Promise<void> {
  const seen: number[] = []
  for (let index = 0; index < 110; index += 10)
    seen.push(
      ...(await Promise.all(
        Array.from(
          { length: 10 },
          async (_, more) =>
            await logIn(
              from(more % 2 === 0 ? ONE : TWO),
              `nobody-${index + more}`,
              LIES[more % LIES.length],
            ),
        ),
      )),
    )
  t.equal(seen.filter((status) => status === 401).length, 100, 'so many tries has one network')
  t.equal(seen.filter((status) => status === 429).length, 10, 'whatever it says of itself')
  t.equal(await logIn(from(TWO), 'ann'), 429)
  t.equal(await logIn(from(OTHER), 'ann'), 200, 'whose address was named has lost nothing')
}

async function devices(t: Test, { broker, proxy }: Stage): Promise<void> {
  await clientsXml(broker, entry(`ip="${DESK}"`, 'spice:pc-1'))
  const desk = new Desk(proxy, newMac(), DESK)
  await desk.ask()
  t.type(desk.key, 'string', 'first contact from a network of thin clients')
  t.not((await desk.ask()).state, 'unknown', 'an entry by ip is found')
  const strange = new Desk(proxy, newMac(), OTHER)
  await strange.ask()
  t.equal(strange.key, null)
  const { thinClients } = await broker.admin.get<{ thinClients: Array<{ address: string }> }>(
    '/thin-clients',
  )
  t.same(thinClients.map(({ address }) => address).sort(), [OTHER, DESK])
}

/** Streams that stay open, each from its own address. */
async function openAtOnce(t: Test, { broker, proxy, from }: Stage): Promise<void> {
  const hold = async (
    address: string,
    lie: object,
  ): Promise<{ status: number; drop: () => void }> => {
    const sent = request(`${proxy.url}/api/v1/live`, {
      ca: proxy.ca,
      agent: false,
      localAddress: address,
      headers: { authorization: `Bearer ${broker.token}`, ...lie },
    })
    sent.on('error', () => {})
    sent.end()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    answer.on('error', () => {}).resume()
    return { status: answer.statusCode ?? 0, drop: () => sent.destroy() }
  }
  const many = async (count: number, address: string) =>
    await Promise.all(
      Array.from(
        { length: count },
        async (_, at) => await hold(address, LIES[at % LIES.length] ?? {}),
      ),
    )
  const mine = await many(12, ONE)
  const others = await many(5, OTHER)
  t.equal(mine.filter(({ status }) => status === 200).length, 10)
  t.equal(mine.filter(({ status }) => status === 429).length, 2)
  t.same(new Set(others.map(({ status }) => status)), new Set([200]))
  t.match(await from(OTHER, broker.token).get('/whoami'), { role: 'admin' })
  for (const { drop } of [...mine, ...others]) drop()
}
