import { PassThrough } from 'node:stream'
import t from 'tap'
import type { Desktop } from '../../../broker/api/assignments.js'
import { wayTo } from '../../../broker/thin-clients/policy.js'
import { until } from '../../support/until.js'
import { account, device, PASSWORD, peopleOffice } from './people-office.js'

const GUEST = '10.1.0.77'

/** A pool `p` whose desktops are on a bridge and prefer RDP; their guests answer there while `rdp.answers`. */
async function place(
  t: { teardown: (act: () => Promise<void>) => void },
  { network = 'bridge:br0', policy = {}, targets = '<desktop-pool>p</desktop-pool>' } = {},
) {
  const broker = await peopleOffice({ size: 0, targets })
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.admin.delete<{ job: string }>('/pools/p').then(async ({ job }) => {
    await broker.admin.succeeded(job)
  })
  await broker.admin.done('/pools', {
    name: 'p',
    from: 'golden-desktop',
    size: 1,
    network,
    policy: { protocols: ['rdp', 'spice'], ...policy },
  })
  const rdp = { answers: true, probes: 0 }
  broker.host().addresses.set('p-1', [GUEST])
  broker.host().onConnection = (host, port) => {
    if (host === GUEST && port === 3389) rdp.probes += 1
    return host === GUEST && port === 3389 && rdp.answers ? new PassThrough() : null
  }
  return { broker, rdp }
}
const idleSince = async (broker: Awaited<ReturnType<typeof place>>['broker']): Promise<number> =>
  (await broker.rows<{ idle_since: number }>('SELECT idle_since FROM assignment'))[0]?.idle_since ??
  0

t.test('the way to a desktop', (t) => {
  const rows: Array<[string[], string, string | null, number, string]> = [
    [['rdp', 'spice'], 'bridge:br0', '10.1.0.7', 0, 'rdp'],
    [['rdp', 'spice'], 'bridge:br0', null, 59_999, 'wait'],
    [['rdp', 'spice'], 'bridge:br0', null, 60_000, 'display'],
    [['vnc', 'rdp', 'spice'], 'bridge:br0', '10.1.0.7', 0, 'rdp'],
    [['rdp'], 'bridge:br0', null, 60_000, 'display'],
    [['spice', 'rdp'], 'bridge:br0', '10.1.0.7', 0, 'display'],
    [['rdp', 'spice'], 'network:default', '10.1.0.7', 0, 'display'],
    [['rdp', 'spice'], 'none', null, 0, 'display'],
    [['vnc'], 'bridge:br0', '10.1.0.7', 0, 'display'],
  ]
  for (const [protocols, network, address, runsForMs, way] of rows)
    t.equal(
      wayTo(protocols, network, address, runsForMs),
      way,
      JSON.stringify([protocols, network, address, runsForMs]),
    )
  t.end()
})

t.test(
  'a guest that answers is shown by RDP, as soon as it does; and its time does not run while it is shown',
  async (t) => {
    const { broker, rdp } = await place(t, { policy: { clipboard: false } })
    rdp.answers = false
    const desk = await device(broker)
    await until(async () => /RDP\) does not answer yet/.test((await desk.ask()).sentence), {
      withinMs: 10_000,
      everyMs: 50,
      what: 'the screen says for what it waits',
    })
    const before = rdp.probes
    const waiting = desk.ask(20_000)
    await until(() => rdp.probes > before, {
      withinMs: 5_000,
      everyMs: 5,
      what: 'it was looked for',
    })
    rdp.answers = true
    const askedMs = performance.now()
    t.match(await waiting, {
      sentence: 'Opening p-1.',
      console: { protocol: 'rdp', address: GUEST, title: 'p-1', clipboard: false, drives: true },
    })
    t.ok(performance.now() - askedMs < 8_000, 'who waits is told')
    t.match(await broker.rows("SELECT object FROM event WHERE action = 'console.rdp'"), [
      { object: 'machine:p-1' },
    ])
    await broker.run('UPDATE assignment SET idle_since = 1')
    t.equal(await desk.report({ protocol: 'rdp', title: 'p-1' }), 200)
    t.ok((await idleSince(broker)) > 1, 'the device says that it is used')
    await broker.run('UPDATE assignment SET idle_since = 1')
    await (await device(broker, '127.0.0.9')).report({ protocol: 'rdp', title: 'p-1' })
    t.equal(await idleSince(broker), 1, 'another device says nothing of it')
  },
)

t.test(
  'a guest whose RDP does not come, or which only its host can reach, is shown by its display',
  async (t) => {
    const { broker, rdp } = await place(t)
    rdp.answers = false
    const desk = await device(broker)
    await until(async () => /RDP\)/.test((await desk.ask()).sentence), {
      withinMs: 10_000,
      everyMs: 50,
      what: 'it waits at first',
    })
    await broker.run("UPDATE machine SET power_since = power_since - 60000 WHERE name = 'p-1'")
    t.match(await desk.askUntil('ready'), { console: { protocol: 'spice', title: 'p-1' } })

    const behind = await place(t, { network: 'network:default' })
    t.match(await (await device(behind.broker)).askUntil('ready'), {
      console: { protocol: 'spice', title: 'p-1' },
    })
  },
)

t.test(
  'a person who moves to another thin client finds his desktop there, and the first one is told to close it',
  async (t) => {
    const { broker } = await place(t, { targets: '<protocol>LOGIN</protocol>' })
    await account(broker, 'alice')
    const [old, fresh] = [await device(broker, '127.0.0.2'), await device(broker, '127.0.0.3')]
    await old.person('login', { name: 'alice', password: PASSWORD })
    t.match(await old.askUntil('ready', 10_000), {
      person: 'alice',
      console: { protocol: 'rdp', title: 'p-1' },
    })
    const shown = { protocol: 'rdp', title: 'p-1' }
    t.match(await old.tell(shown), { over: null })
    const told = old.tell(shown, 20_000)
    await fresh.person('login', { name: 'alice', password: PASSWORD })
    t.match(await told, { over: 'You have logged in at another thin client.' })
    t.match(await fresh.askUntil('ready', 10_000), {
      person: 'alice',
      console: { protocol: 'rdp', title: 'p-1' },
    })
    const taken = fresh.tell(shown, 20_000)
    await broker.admin.post('/machines/p-1/release', { force: true })
    t.match(await taken, { over: /taken back|not yours any more/ })
    t.same((await broker.admin.get<{ desktops: Desktop[] }>('/desktops')).desktops, [])
  },
)
