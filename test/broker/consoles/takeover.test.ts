import t, { type Test } from 'tap'
import type { Session } from '../../../broker/api/consoles.js'
import type { SpiceConsole } from '../../../broker/api/machines.js'
import { ApiClient } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'

/** A broker with the running machine pc-1. */
export async function withMachine(t: Test, config: object = {}): Promise<SimulatedBroker> {
  const broker = await SimulatedBroker.start({ config })
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.addHypervisors()
  await broker.admin.done('/machines', {
    name: 'pc-1',
    type: 'simple',
    hypervisors: ['hv1'],
    memoryMib: 64,
    diskGib: 1,
  })
  const started = await broker.admin.post<{ job: string }>('/machines/pc-1/power', {
    action: 'start',
  })
  await broker.admin.succeeded(started.job)
  return broker
}

const console = async (broker: SimulatedBroker, body: object = {}): Promise<SpiceConsole> =>
  await broker.admin.post<SpiceConsole>('/machines/pc-1/console', body)
const sessions = async (broker: SimulatedBroker): Promise<Session[]> =>
  (await broker.admin.get<{ sessions: Session[] }>('/sessions')).sessions
const actions = async (broker: SimulatedBroker): Promise<string[]> =>
  (
    await broker.rows<{ action: string; actor: string }>(
      "SELECT actor, action FROM event WHERE action LIKE 'console.%' ORDER BY id",
    )
  ).map(({ actor, action }) => `${actor} ${action}`)
async function connected(broker: SimulatedBroker, addresses: string[]): Promise<void> {
  broker.host().seat('pc-1', addresses)
  await until(
    async () =>
      (await broker.admin.get<{ viewers: string[] }>('/machines/pc-1')).viewers.join() ===
      addresses.join(),
    { withinMs: 5_000, everyMs: 10, what: 'the broker sees who is connected' },
  )
}

t.test(
  'one console a machine: who is there is left alone, cut only on request, and told',
  async (t) => {
    const broker = await withMachine(t)
    await broker.run(
      "INSERT INTO console_seat SELECT id, 'person', 'alice', '10.1.1.1', 'direct', ?, NULL, NULL FROM machine",
      Date.now() - 5_000,
    )
    await connected(broker, ['10.1.1.1'])
    t.match(await sessions(broker), [
      {
        machine: 'pc-1',
        hypervisor: 'hv1',
        holder: { kind: 'person', name: 'alice' },
        address: '10.1.1.1',
        protocol: 'spice',
        via: 'direct',
      },
    ])
    await t.rejects(console(broker), {
      code: 'console_in_use',
      status: 409,
      message: /alice \(10\.1\.1\.1, since .*\) has the console of pc-1/,
    })
    t.same(broker.host().viewers.get('pc-1'), ['10.1.1.1'], 'nobody was cut')
    t.match(await console(broker, { take: true }), {
      taken: { from: { kind: 'person', name: 'alice' } },
    })
    t.notOk(broker.host().viewers.has('pc-1'), 'the other one was cut')
    await connected(broker, ['127.0.0.1'])
    t.match(await sessions(broker), [{ holder: { kind: 'person', name: 'admin' } }])
    t.notMatch(await console(broker), { taken: {} }, "one's own is replaced without asking")
    await connected(broker, [])
    await until(async () => (await actions(broker)).includes('admin console.close'), {
      withinMs: 5_000,
      everyMs: 10,
      what: 'the end is in the audit log',
    })
    t.same(
      (await actions(broker)).filter((one) => !one.endsWith('ticket')),
      ['alice console.open', 'admin console.take', 'admin console.open', 'admin console.close'],
    )
  },
)

t.test(
  'a ticket that may still be used counts: a second person does not make it worthless',
  async (t) => {
    const broker = await withMachine(t)
    await broker.run(
      "INSERT INTO console_seat SELECT id, 'device', '52:54:00:00:00:01', '10.1.1.1', " +
        "'direct', ?, NULL, NULL FROM machine",
      Date.now() - 5_000,
    )
    await t.rejects(console(broker), {
      code: 'console_in_use',
      message: /thin-client:52:54:00:00:00:01 \(.*\) is just opening the console/,
    })
    await broker.run('UPDATE console_seat SET ticket_at = ?', Date.now() - 40_000)
    t.match(await console(broker), { protocol: 'spice' })
  },
)

t.test('a viewer that was given no ticket here is shown, and in the way', async (t) => {
  const broker = await withMachine(t)
  await connected(broker, ['10.7.7.7'])
  t.match(await sessions(broker), [{ holder: null, address: '10.7.7.7' }])
  await t.rejects(console(broker), {
    code: 'console_in_use',
    message: /^A viewer that was given no ticket here \(10\.7\.7\.7/,
  })
  const { token } = await broker.admin.post<{ token: string }>('/tokens', {
    name: 'kiosk',
    scopes: ['accessConsole'],
  })
  const kiosk = new ApiClient(broker.url, broker.ca, token)
  await t.rejects(
    kiosk.post('/machines/pc-1/console', { take: true }),
    { code: 'forbidden' },
    "a token without takeConsole takes nothing, also when it is an administrator's",
  )
  await t.rejects(kiosk.post('/machines/pc-1/console'), {
    code: 'console_in_use',
    message: /^Somebody else/,
  })
  t.match(await console(broker, { take: true }), { taken: { from: null } })
})

t.test(
  'after a restart the broker knows who is connected, and notes who left meanwhile',
  async (t) => {
    const broker = await withMachine(t)
    await console(broker)
    await connected(broker, ['10.1.1.1'])
    const [before] = await sessions(broker)
    await until(async () => (await actions(broker)).includes('admin console.open'), {
      withinMs: 5_000,
      everyMs: 10,
      what: 'it is noted',
    })
    await broker.stop()
    await broker.start()
    await until(async () => (await sessions(broker)).length === 1, {
      withinMs: 5_000,
      everyMs: 10,
      what: 'the first look',
    })
    t.same(await sessions(broker), [{ ...before, since: (await sessions(broker))[0]?.since }])
    t.match(await sessions(broker), [{ holder: { name: 'admin' } }])
    await broker.stop()
    broker.host().viewers.clear()
    await broker.start()
    await until(async () => (await actions(broker)).includes('admin console.close'), {
      withinMs: 5_000,
      everyMs: 10,
      what: 'the end is noted',
    })
    t.same(await sessions(broker), [])
  },
)

t.test('the .vv file has everything for one connection, and is not kept by anybody', async (t) => {
  const broker = await withMachine(t)
  const answer = await broker.admin.raw(
    'POST',
    '/api/v1/machines/pc-1/console',
    {},
    { accept: 'application/x-virt-viewer' },
  )
  t.equal(answer.status, 200)
  t.match(answer.headers, {
    'content-type': 'application/x-virt-viewer',
    'cache-control': 'no-store',
    'content-disposition': 'attachment; filename="pc-1.vv"',
  })
  const lines = answer.text.trim().split('\n')
  t.equal(lines[0], '[virt-viewer]')
  const keys = Object.fromEntries(
    lines
      .slice(1)
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
  t.match(keys, {
    type: 'spice',
    host: '10.0.0.1',
    'tls-port': '5901',
    password: /^[\w-]{43}$/,
    ca: /^-----BEGIN CERTIFICATE-----\\n[^\n]*-----END CERTIFICATE-----$/,
    'host-subject': 'O=Berth,CN=hv1',
    title: 'pc-1',
    'delete-this-file': '1',
    'secure-channels': 'all',
    'enable-usbredir': '1',
  })
  t.notOk('proxy' in keys)
  t.match(
    (await broker.admin.raw('POST', '/api/v1/machines/pc-1/console')).headers,
    { 'content-type': /json/, 'cache-control': 'no-store' },
    'without a body, and as JSON',
  )
})

t.test('ways that are not there are refused before anybody is cut', async (t) => {
  const broker = await withMachine(t)
  await connected(broker, ['10.7.7.7'])
  await t.rejects(console(broker, { via: 'proxy', take: true }), {
    code: 'console_unreachable',
    message: /console-proxy-port/,
  })
  await broker.admin.patch('/hypervisors/hv1', { displayAddress: '127.0.0.1' })
  await until(() => broker.host().link?.status().state === 'up', {
    withinMs: 5_000,
    what: 'it is up again',
  })
  await t.rejects(console(broker, { via: 'direct', take: true }), {
    code: 'console_unreachable',
    message: /loopback only: use --via proxy/,
  })
  await t.rejects(console(broker, { take: true }), { code: 'console_unreachable' })
  t.same(broker.host().viewers.get('pc-1'), ['10.7.7.7'])
})

t.test('a display that turns out to be hidden keeps its password and its viewer', async (t) => {
  const broker = await withMachine(t)
  await connected(broker, ['10.7.7.7'])
  const before = broker.host().domains.get('pc-1')?.ticket
  broker.host().listen = '127.0.0.1' // it was started with other settings than those of now
  for (const via of ['direct', 'auto'] as const)
    await t.rejects(console(broker, { via, take: true }), {
      code: 'console_unreachable',
      message: /loopback of hv1 only/,
    })
  t.equal(broker.host().domains.get('pc-1')?.ticket, before)
  t.same(broker.host().viewers.get('pc-1'), ['10.7.7.7'])
})

t.test(
  'two hundred asks at once are answered one after the other, and the last ticket is the one that counts',
  async (t) => {
    const broker = await withMachine(t)
    const answers = await Promise.all(
      Array.from({ length: 200 }, async () => await console(broker)),
    )
    t.equal(new Set(answers.map(({ password }) => password)).size, 200)
    t.ok(answers.some(({ password }) => password === broker.host().domains.get('pc-1')?.ticket))
  },
)
