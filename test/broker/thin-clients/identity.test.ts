import t from 'tap'
import type { ThinClient } from '../../../broker/api/thin-clients.js'
import { clientsXml, Desk, entry, newMac, office, STRANGE_ADDRESS } from './desk.js'

t.test('a device of a configured network gets a key once, and is known by it', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desk = new Desk(broker, newMac())
  const first = await desk.ask()
  t.match(first.deviceKey, /^[0-9a-f]{64}$/)
  const second = await desk.ask()
  t.notOk('deviceKey' in second)
  t.equal(second.device, first.device)
  t.match(await broker.admin.get<{ thinClients: ThinClient[] }>('/thin-clients'), {
    thinClients: [{ mac: desk.macs[0], accepted: true }],
  })
  t.notOk(
    JSON.stringify(broker.rows('SELECT * FROM thin_client')).includes(desk.key ?? 'none'),
    'the key is kept as a hash',
  )
})

t.test('a second device with that MAC is unknown, and the administrator is shown it', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desk = new Desk(broker, newMac())
  await desk.ask()
  const thief = new Desk(broker, desk.macs[0] ?? '', '127.0.0.2')
  const answer = await thief.ask()
  t.match(answer, { state: 'unknown', sentence: /does not show its key/ })
  t.notOk('deviceKey' in answer)
  t.match(await broker.admin.get('/thin-clients'), { thinClients: [{ note: /127\.0\.0\.2/ }] })
  t.match(broker.rows("SELECT * FROM event WHERE action = 'thin-client.wrong-key'"), [
    { result: 'refused', address: '127.0.0.2' },
  ])
  t.notMatch((await desk.ask()).sentence, /key/, 'the first one is still known')
})

t.test(
  'a known device that lost its key is unknown until the administrator accepts it; then it gets a new one, once',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const desk = new Desk(broker, newMac())
    const { device } = await desk.ask()
    const oldKey = desk.key
    desk.key = null
    t.match(await desk.ask(), {
      state: 'unknown',
      sentence: new RegExp(`berth thin-client accept ${device}`),
    })
    await broker.admin.post(`/thin-clients/${device}/accept`)
    t.match(await desk.ask(), { deviceKey: /^[0-9a-f]{64}$/, device })
    const other = new Desk(broker, desk.macs[0] ?? '')
    t.notOk('deviceKey' in (await other.ask()))
    const old = new Desk(broker, desk.macs[0] ?? '')
    old.key = oldKey
    t.match(await old.ask(), { state: 'unknown' }, 'the old key is worth nothing')
  },
)

t.test('the key of another device, and a key that was never given, open nothing', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const [one, two] = [new Desk(broker, newMac()), new Desk(broker, newMac())]
  await one.ask()
  await two.ask()
  const key = one.key
  two.key = key
  t.match(await two.ask(), { state: 'unknown', sentence: /key of another one/ })
  two.key = 'ab'.repeat(32)
  t.match(await two.ask(), { state: 'unknown', sentence: /does not show its key/ })
  t.equal(await two.report({ protocol: 'spice', title: 'pc-1' }), 403)
  t.equal(await one.report({ protocol: 'spice', title: 'pc-1' }), 200)
  const { thinClients } = await broker.admin.get<{ thinClients: ThinClient[] }>('/thin-clients')
  t.equal(thinClients.length, 2, 'a report makes no device known')
})

t.test(
  'a MAC that another device has proves nothing: who says both gets only what is meant for himself',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const [victim, thief] = [new Desk(broker, newMac()), new Desk(broker, newMac())]
    await clientsXml(broker, entry(`mac="${victim.macs[0] ?? ''}"`, 'spice:pc-1'))
    await victim.ask()
    await thief.ask()
    thief.macs = [...thief.macs, ...victim.macs]
    t.match(await thief.ask(), { state: 'unknown' })
    t.same(
      broker.rows(
        "SELECT * FROM assignment WHERE holder = (SELECT 'thin-client:' || id FROM thin_client WHERE mac = ?)",
        thief.macs[0],
      ),
      [],
    )
  },
)

t.test(
  'a device of another network waits for the administrator, who can accept or forget it',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const desk = new Desk(broker, newMac(), STRANGE_ADDRESS)
    const { device, ...answer } = await desk.ask()
    t.match(answer, { state: 'unknown', sentence: /not one that is trusted/, askAgainMs: 30_000 })
    t.notOk('deviceKey' in answer)
    t.match(await desk.ask(), { sentence: /not accepted yet/ })
    const waiting = desk.ask(20_000)
    await broker.admin.post(`/thin-clients/${device}/accept`)
    t.match(
      await waiting,
      { deviceKey: /^[0-9a-f]{64}$/, device },
      'the long poll is answered at once',
    )
    await broker.admin.delete(`/thin-clients/${device}`)
    t.match(await desk.ask(), { state: 'unknown', sentence: /new and its network/ })
    await t.rejects(broker.admin.post(`/thin-clients/${device}/accept`), { code: 'not_found' })
  },
)

t.test(
  'a device that asks many times at once at first contact is one device with one key',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const mac = newMac()
    const answers = await Promise.all(
      Array.from({ length: 12 }, async () => await new Desk(broker, mac).ask()),
    )
    t.equal(answers.filter((answer) => answer.deviceKey !== undefined).length, 1)
    t.equal(broker.rows('SELECT id FROM thin_client').length, 1)
  },
)
