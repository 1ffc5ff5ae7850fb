import { pino } from 'pino'
import t from 'tap'
import { networksOf } from '../../../broker/addresses.js'
import { ReverseProxies } from '../../../broker/forwarded.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'

const proxies = new ReverseProxies(
  networksOf(['10.0.0.1', '10.0.1.0/24', '2001:db8:1::/48']),
  pino({ level: 'silent' }),
)

/** Who the client is, by what came from this address. */
function client(peer: string, said: string): string | undefined {
  const headers = { 'x-forwarded-for': said }
  proxies.settle(headers, peer)
  return headers['x-forwarded-for']
}

t.test('the last address that is no proxy’s is the client', async (t) => {
  for (const [said, wanted] of [
    ['192.0.2.7', '192.0.2.7'],
    ['6.6.6.6, 192.0.2.7', '192.0.2.7'],
    ['6.6.6.6,192.0.2.7,10.0.1.9', '192.0.2.7'],
    ['10.0.1.8, 192.0.2.7, 10.0.1.9 ,10.0.0.1', '192.0.2.7'],
    ['10.0.1.9', '10.0.1.9'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['192.0.2.7, ::ffff:10.0.1.9', '192.0.2.7'],
    ['192.0.2.7:4711', '192.0.2.7'],
    ['[2001:DB8:2::7]:4711', '2001:db8:2::7'],
    ['[2001:db8:2::7]', '2001:db8:2::7'],
    ['2001:db8:2::7, 2001:db8:1::1', '2001:db8:2::7'],
    ['192.0.2.7, unknown, 10.0.1.9', '10.0.1.9'],
    ['192.0.2.7, 1, 10.0.1.9', '10.0.1.9'],
    ['unknown', '10.0.0.1'],
    ['192.0.2.7,', '10.0.0.1'],
    ['', '10.0.0.1'],
  ])
    t.equal(client('10.0.0.1', said ?? ''), wanted, String(said))
  t.equal(client('::ffff:10.0.0.1', '192.0.2.7'), '192.0.2.7')
  for (const stranger of ['10.0.0.2', '192.0.2.7', '2001:db8:2::1', 'nonsense', ''])
    t.equal(client(stranger, '6.6.6.6'), undefined, `${stranger} is not believed`)
})

t.test('name, port and protocol are those of the nearest proxy', async (t) => {
  const settled = (headers: Record<string, string>, peer = '10.0.0.1'): unknown => {
    proxies.settle(headers, peer)
    return [headers['x-forwarded-host'], headers['x-forwarded-proto'], headers['x-forwarded-port']]
  }
  const host = 'backend:8443'
  t.same(settled({ host }), ['backend:8443', 'https', undefined])
  t.same(settled({ host, 'x-forwarded-host': 'evil.example, vdi.example' }), [
    'vdi.example',
    'https',
    undefined,
  ])
  t.same(settled({ host, 'x-forwarded-host': 'vdi.example', 'x-forwarded-port': '9443' }), [
    'vdi.example:9443',
    'https',
    undefined,
  ])
  t.same(settled({ host, 'x-forwarded-host': 'vdi.example', 'x-forwarded-port': '443' }), [
    'vdi.example',
    'https',
    undefined,
  ])
  t.same(settled({ host, 'x-forwarded-port': '9443', 'x-forwarded-proto': 'https, http' }), [
    'backend:8443',
    'http',
    undefined,
  ])
  t.same(settled({ host, 'x-forwarded-proto': 'wss' }), ['backend:8443', 'https', undefined])
  t.same(
    settled({ host, 'x-forwarded-host': 'vdi.example', 'x-forwarded-proto': 'http' }, '6.6.6.6'),
    [undefined, undefined, undefined],
  )
})

t.test('what a proxy took without TLS is refused, in one sentence', async (t) => {
  const broker = await SimulatedBroker.start({
    config: { trustedProxies: networksOf(['127.0.0.1']) },
  })
  t.teardown(async () => {
    await broker.remove()
  })
  const plain = { 'x-forwarded-proto': 'http', 'x-forwarded-for': '192.0.2.7' }
  const body = { name: 'admin', password: broker.adminPassword }
  t.match(await broker.anybody.raw('POST', '/api/v1/login', body, plain), {
    status: 403,
    body: { code: 'forbidden', message: /without TLS.*https:\/\/\.$/ },
  })
  t.match(await broker.anybody.raw('GET', '/healthz'), { status: 200 }, 'the proxy’s own question')
  await broker.stop()
  await broker.start({ trustedProxies: [] })
  t.match(
    await broker.anybody.raw('POST', '/api/v1/login', body, plain),
    { status: 200 },
    'nobody else is believed',
  )
})
