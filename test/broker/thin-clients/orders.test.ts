import t, { type Test } from 'tap'
import { ORDER_KINDS, type OrderState } from '../../../broker/api/device-orders.js'
import type { ThinClient, ThinClientDetail } from '../../../broker/api/thin-clients.js'
import { ORDER_LIFETIME_MS } from '../../../broker/thin-clients/orders.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { clientsXml, Desk, entry, newMac, office, STRANGE_ADDRESS } from './desk.js'

t.setTimeout(240_000)

async function deskThatKnows(
  broker: SimulatedBroker,
  orders: readonly string[] | null = ORDER_KINDS,
): Promise<{ desk: Desk; id: string }> {
  const desk = new Desk(broker, newMac())
  desk.orders = orders
  return { desk, id: (await desk.ask()).device }
}
const order = async (
  broker: SimulatedBroker,
  id: string,
  kind: string,
  body: object = {},
): Promise<OrderState> => await broker.admin.post<OrderState>(`/thin-clients/${id}/${kind}`, body)
const shown = async (broker: SimulatedBroker, id: string): Promise<ThinClientDetail> =>
  await broker.admin.get<ThinClientDetail>(`/thin-clients/${id}`)

t.test('a device that waits is told within a second, once, and what it did is known', async (t) => {
  const broker = await office(1)
  t.teardown(async () => {
    await broker.remove()
  })
  const { desk, id } = await deskThatKnows(broker)
  const waiting = desk.ask(30_000)
  await until(async () => (await shown(broker, id)).here, { withinMs: 3_000, what: 'it is here' })
  const since = performance.now()
  t.match(await order(broker, id, 'message', { text: 'Lunch at 12 ąčę 🍲' }), {
    state: 'pending',
    kind: 'message',
    by: 'admin',
  })
  const answer = await waiting
  t.ok(performance.now() - since < 1_000)
  t.match(answer, { order: { kind: 'message', text: 'Lunch at 12 ąčę 🍲', seconds: 60 } })
  t.match((await shown(broker, id)).orders, [{ state: 'sent', finishedAt: null }])
  t.equal((await desk.ask(100)).order, undefined, 'it is not told again at once')
  t.equal(await desk.done(answer.order?.id ?? '', 'done', 'Shown over the desktop.'), 204)
  t.match((await shown(broker, id)).orders, [
    { state: 'done', sentence: 'Shown over the desktop.', finishedAt: String },
  ])
  t.equal(await desk.done(answer.order?.id ?? '', 'refused', 'No.'), 204)
  t.match((await shown(broker, id)).orders, [{ state: 'done' }], 'what was said stays said')
  t.match(
    await broker.rows("SELECT actor, object FROM event WHERE action = 'thin-client.message'"),
    [{ actor: 'admin', object: `thin-client:${id}` }],
  )
})

t.test(
  'one that shows a desktop is told by its report; a lost answer is given again, two wishes one after the other',
  async (t) => {
    const broker = await office(1)
    t.teardown(async () => {
      await broker.remove()
    })
    const { desk, id } = await deskThatKnows(broker)
    const waiting = desk.watch('pc-1', { waitMs: 30_000 })
    const first = await order(broker, id, 'reconnect')
    t.equal(
      (await order(broker, id, 'reconnect')).id,
      first.id,
      'a second wish for the same is the same',
    )
    t.match((await waiting).order, { id: first.id, kind: 'reconnect' })
    await order(broker, id, 'reboot')
    t.match((await desk.watch('pc-1')).order, { kind: 'reboot' })
    t.equal((await desk.watch('pc-1')).order, undefined)
    await broker.run('UPDATE thin_client_order SET sent_at = sent_at - 6000')
    t.match(
      (await desk.watch('pc-1')).order,
      { id: first.id },
      'its word did not come, so it is told again',
    )
    t.equal(
      (await desk.watch('pc-1')).order,
      undefined,
      'but a restart is never ordered twice: it would come back to one',
    )
    t.equal(await desk.report(null), 200)
  },
)

t.test(
  'an agent that does not know orders, or not this one, is named with its version',
  async (t) => {
    const broker = await office(1)
    t.teardown(async () => {
      await broker.remove()
    })
    for (const knows of [null, ['message']]) {
      const { desk, id } = await deskThatKnows(broker, knows)
      const waiting = desk.ask(30_000)
      await order(broker, id, 'reboot')
      const state = await until(
        async () => (await shown(broker, id)).orders.find((one) => one.state !== 'pending'),
        { withinMs: 3_000, what: 'it is known' },
      )
      t.match(state, {
        state: 'unsupported',
        sentence: /version 1\) does not know this: install the newer one/,
      })
      await clientsXml(broker, entry(`mac="${desk.macs[0] ?? ''}"`, 'rdp:ts.example.org'))
      t.equal((await waiting).order, undefined)
    }
  },
)

t.test('one that does not ask in time is not reached; a late word still counts', async (t) => {
  const broker = await office(1)
  t.teardown(async () => {
    await broker.remove()
  })
  const { desk, id } = await deskThatKnows(broker)
  for (const text of ['one', 'two']) await order(broker, id, 'message', { text })
  const told = (await desk.ask()).order
  await broker.run(
    'UPDATE thin_client_order SET created_at = created_at - ?, expires_at = expires_at - ?',
    ORDER_LIFETIME_MS,
    ORDER_LIFETIME_MS,
  )
  await broker.stop()
  await broker.start()
  const orders = await until(
    async () => {
      const { orders } = await shown(broker, id)
      return orders.every(({ state }) => state === 'not-reached') ? orders : null
    },
    { withinMs: 3_000, what: 'both are given up' },
  )
  t.match(
    orders.find((one) => one.id !== told?.id),
    { sentence: /did not ask within 2 minutes/ },
  )
  t.match(
    orders.find((one) => one.id === told?.id),
    { sentence: /told, but did not confirm within 2 minutes/ },
  )
  t.equal((await desk.ask()).order, undefined)
  await desk.done(told?.id ?? '')
  t.match(
    (await shown(broker, id)).orders.find((one) => one.id === told?.id),
    { state: 'done' },
  )
})

t.test(
  'what is refused: odd texts, devices that are not accepted, orders of others, too many',
  async (t) => {
    const broker = await office(1)
    t.teardown(async () => {
      await broker.remove()
    })
    const { desk, id } = await deskThatKnows(broker)
    await badTextsAreRefused(t, broker, id)
    t.match(
      await order(broker, id, 'message', { text: `$(reboot) "%s" '; \\n <b>${'🍲'.repeat(200)}` }),
      { state: 'pending' },
      'signs that mean something elsewhere are text',
    )
    await t.rejects(order(broker, 'nobody', 'reboot'), { status: 404, code: 'not_found' })
    const stranger = new Desk(broker, newMac(), STRANGE_ADDRESS)
    stranger.orders = ORDER_KINDS
    const { device } = await stranger.ask()
    await t.rejects(order(broker, device, 'message', { text: 'x' }), {
      status: 403,
      code: 'device_unknown',
      message: /is not accepted, so it is told nothing/,
    })
    const { desk: other } = await deskThatKnows(broker)
    t.equal(await other.done((await desk.ask()).order?.id ?? ''), 404, 'of another device')
    const impostor = new Desk(broker, desk.macs[0] ?? '')
    impostor.orders = ORDER_KINDS
    await order(broker, id, 'message', { text: 'for the real one' })
    t.match(await impostor.ask(), { state: 'unknown', order: undefined })
    t.equal(await impostor.done('x'), 403)
    for (let count = 0; count < 18; count++)
      await order(broker, id, 'message', { text: `number ${count}` })
    await t.rejects(order(broker, id, 'message', { text: 'one more' }), {
      status: 429,
      code: 'too_many_requests',
    })
  },
)

async function badTextsAreRefused(t: Test, broker: SimulatedBroker, id: string): Promise<void> {
  for (const text of [
    '',
    '   ',
    'a\nb',
    'a\tb',
    '\u001b[2J',
    'a\u0000b',
    '\u009b31m',
    'line\u2028break',
    'turn\u202ed',
    'x'.repeat(501),
    7,
    null,
  ]) {
    t.match(
      await broker.admin.raw('POST', `/api/v1/thin-clients/${id}/message`, { text }),
      { status: 400, body: { code: 'invalid_request' } },
      encodeURIComponent(String(text)),
    )
  }
  for (const seconds of [4, 3601, 1.5, 'long'])
    t.match(
      await broker.admin.raw('POST', `/api/v1/thin-clients/${id}/message`, {
        text: 'x',
        seconds,
      }),
      { status: 400 },
    )
}

t.test('who is here is seen, and a device may have a pool of its own', async (t) => {
  const broker = await office(1)
  t.teardown(async () => {
    await broker.remove()
  })
  const { desk, id } = await deskThatKnows(broker)
  t.equal((await shown(broker, id)).here, true)
  t.match(await shown(broker, id), {
    assigned: null,
    assignedPool: null,
    gets: [],
    state: 'unknown',
  })
  await broker.admin.post('/pools', { name: 'lab' })
  await t.rejects(broker.admin.put(`/thin-clients/${id}/assignment`, { pool: 'none' }), {
    code: 'not_found',
  })
  await t.rejects(
    broker.admin.put(`/thin-clients/${id}/assignment`, { pool: 'lab', machine: 'pc-1' }),
    { code: 'invalid_request' },
  )
  await t.rejects(broker.admin.put(`/thin-clients/${id}/assignment`, {}), {
    code: 'invalid_request',
  })
  t.match(await broker.admin.put<ThinClient>(`/thin-clients/${id}/assignment`, { pool: 'lab' }), {
    assigned: null,
    assignedPool: 'lab',
  })
  t.match(await desk.ask(), { state: 'waiting', sentence: /lab/ })
  await clientsXml(broker, entry(`mac="${desk.macs[0] ?? ''}"`, 'spice:pc-1', 'rdp:ts.example.org'))
  t.match((await shown(broker, id)).gets, ['pool lab', 'pc-1', 'RDP ts.example.org'])
  t.match(
    await broker.admin.put<ThinClient>(`/thin-clients/${id}/assignment`, { machine: 'pc-1' }),
    { assigned: 'pc-1', assignedPool: null },
  )
})

t.test(
  'over a restart of the broker a device that shows its desktop is known to do so; of one ' +
    'that is silent nothing is said',
  async (t) => {
    const broker = await office(1)
    t.teardown(async () => {
      await broker.remove()
    })
    const [shows, silent] = [await deskThatKnows(broker), await deskThatKnows(broker)]
    await shows.desk.watch('pc-1')
    const { port } = broker.broker
    await broker.stop()
    await broker.start({ listenPort: port })
    t.match(await shown(broker, shows.id), {
      state: null,
      showing: null,
      here: false,
      sentence: /has not asked/,
    })
    await shows.desk.watch('pc-1')
    t.match(await shown(broker, shows.id), {
      state: null,
      showing: 'pc-1 (spice)',
      here: true,
      hostname: 'desk',
      address: '127.0.0.1',
      sentence: 'It has shown this since before the broker started.',
    })
    t.match(await shown(broker, silent.id), { state: null, here: false })
    await silent.desk.ask()
    t.match(await shown(broker, silent.id), { state: 'unknown', here: true })
  },
)
