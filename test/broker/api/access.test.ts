import t from 'tap'
import { ERRORS } from '../../../broker/errors.js'
import { ApiClient } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { ROUTES, routesOf } from './routes.js'

const DEVICE = { macs: ['52:54:00:00:00:01'], hostname: 'desk', version: '1' }

/** A body that passes no schema: nobody gets further than permission and schema. */
const NONSENSE = { nonsense: true }

t.test('every route has one line in the table', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => { await broker.remove() })
  t.same(routesOf(broker.broker.app.printRoutes({ commonPrefix: false })), ROUTES.map(([method, path]) => `${method} ${path}`).sort())
})

t.test('each route lets in those whom the table names, and nobody else', async (t) => {
  const broker = await SimulatedBroker.start({ config: { thinClientNetworks: [] } })
  t.teardown(async () => { await broker.remove() })
  const { token } = await broker.admin.post<{ token: string }>('/tokens', { name: 'looks', role: 'observer' })
  const callers = {
    nobody: broker.anybody, 'a wrong token': new ApiClient(broker.url, broker.ca, 'berth_wrong'), 'a device key': broker.anybody, observer: new ApiClient(broker.url, broker.ca, token), admin: broker.admin,
  }
  const may: Readonly<Record<string, readonly string[]>> = { public: Object.keys(callers), device: Object.keys(callers), observer: ['observer', 'admin'], admin: ['admin'] }
  for (const [method, path, access] of ROUTES) {
    for (const [caller, client] of Object.entries(callers)) {
      const device = caller === 'a device key' ? { authorization: `Device ${'ab'.repeat(32)}` } : {}
      const body = path.endsWith('/ask') ? DEVICE : method === 'GET' || method === 'DELETE' ? undefined : NONSENSE
      const { status, body: answer } = await client.raw(method, path.replace(':name', 'nowhere').replace(':id', 'nowhere'), body, device)
      const { code = '' } = (answer ?? {}) as { code?: string }
      const refused = status === 401 && code === 'unauthenticated' && !path.endsWith('/login') ? 401 : status === 403 && code === 'forbidden' ? 403 : null
      const wanted = may[access]?.includes(caller) ? null : caller === 'observer' ? 403 : 401
      t.equal(refused, wanted, `${method} ${path} by ${caller}: ${status} ${code}`)
      t.ok(status < 500, `${method} ${path}: ${status}`)
      if (status >= 400) t.ok(code in ERRORS, `${method} ${path}: the code ${code} is in the table`)
    }
  }
})

t.test('permission comes before the body, and before any effect', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => { await broker.remove() })
  await broker.addHypervisors()
  const events = (): number => broker.rows('SELECT id FROM event').length
  const before = events()
  t.match(await broker.anybody.raw('POST', '/api/v1/machines', { name: 'pc', type: 'simple', hypervisors: ['hv1'] }), { status: 401 })
  t.match(await broker.anybody.raw('POST', '/api/v1/machines', '{ not json'), { status: 401 })
  t.equal(events(), before)
  t.same(broker.rows('SELECT * FROM machine'), [])
})

t.test('the line for a new host holds nothing of a forged Host header', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => { await broker.remove() })
  await broker.addHypervisors()
  for (const host of ['$(reboot)', 'evil.example;reboot', "a'b", '`id`']) {
    const { statusCode, body } = await broker.broker.app.inject({ url: '/api/v1/hypervisors/hv1/install-line', headers: { host, authorization: `Bearer ${broker.token}` } })
    t.notOk(body.includes(host), `${host}: ${statusCode} ${body}`)
  }
  t.match(await broker.admin.get<{ installLine: string }>('/hypervisors/hv1/install-line'), { installLine: new RegExp(`https://127\\.0\\.0\\.1:${broker.broker.port}/install`) })
})
