import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { ThinClient } from '../../../broker/api/thin-clients.js'
import { Desk, newMac, office, STRANGE_ADDRESS } from './desk.js'

const claim = (): string => randomBytes(32).toString('hex')

t.test(
  'an acceptance reaches the device on whose screen the code stands, 20 times of 20',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    let right = 0
    for (let round = 0; round < 20; round++) {
      const mac = newMac()
      const real = new Desk(broker, mac, '127.0.0.201')
      real.claim = claim()
      await real.ask()
      const { device, code } = await real.ask()
      const strangers = Array.from({ length: 5 }, (_, index) => {
        const stranger = new Desk(broker, mac, index < 2 ? real.address : STRANGE_ADDRESS)
        stranger.claim = index === 0 ? null : claim()
        return stranger
      })
      for (const stranger of strangers) await stranger.ask()
      await t.rejects(broker.admin.post(`/thin-clients/${device}/accept`), { code: 'code_needed' })
      const polls = strangers.map(async (stranger) => await stranger.ask(2_000))
      const mine = real.ask(2_000)
      await broker.admin.post(`/thin-clients/${device}/accept`, { code: code?.toLowerCase() })
      const gotIt = await mine
      for (const stranger of strangers) t.notOk((await stranger.ask()).deviceKey)
      if (gotIt.deviceKey !== undefined && (await real.ask()).device === device) right++
      const others = await Promise.all(polls)
      t.notOk(others.some((answer) => answer.deviceKey !== undefined))
    }
    t.equal(right, 20)
  },
)

t.test(
  'a stranger of another network neither blocks nor replaces a device of a trusted one',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const mac = newMac()
    const stranger = new Desk(broker, mac, STRANGE_ADDRESS)
    stranger.macs = [newMac(), mac]
    stranger.hostname = 'boss-pc'
    const { device } = await stranger.ask()
    const real = new Desk(broker, mac)
    t.match(await real.ask(), { device, deviceKey: /^[0-9a-f]{64}$/ }, 'it has taken over the row')
    t.match(await stranger.ask(), { state: 'unknown', sentence: /not accepted yet|new and its/ })
    stranger.macs = [mac]
    t.match(await stranger.ask(), { state: 'unknown', sentence: /does not show its key/ })
    const { thinClients } = await broker.admin.get<{ thinClients: ThinClient[] }>('/thin-clients')
    t.match(
      thinClients.find((one) => one.id === device),
      { mac, macs: [{ mac, believed: true }], hostname: 'desk', address: '127.0.0.1' },
      'nothing of what the stranger said',
    )
  },
)

t.test(
  'the code counts, no matter who asked first: the stranger who did gets no key',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const mac = newMac()
    const stranger = new Desk(broker, mac, STRANGE_ADDRESS)
    stranger.claim = claim()
    const { device } = await stranger.ask()
    const real = new Desk(broker, mac, '127.0.0.201')
    real.claim = claim()
    const { code } = await real.ask()
    const waiting = stranger.ask(2_000)
    await broker.admin.post(`/thin-clients/${device}/accept`, { code })
    t.match(
      (await broker.admin.get<ThinClient>(`/thin-clients/${device}`)).askers.map(
        ({ address }) => address,
      ),
      [STRANGE_ADDRESS],
      'the accepted one waits for no decision, the other one does',
    )
    t.notOk((await waiting).deviceKey, 'it waited, and was woken')
    t.notOk((await stranger.ask()).deviceKey, 'it asked before the right one came')
    t.match(await real.ask(), { device, deviceKey: String })
    t.notOk((await stranger.ask()).deviceKey, 'the key of the right one is on its way')
    t.match(await real.ask(), { device })
    t.notOk((await stranger.ask()).deviceKey)
  },
)

t.test(
  'a key that an administrator has given goes to nobody else while it is on its way, also ' +
    'not to who is trusted at the same address',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const owner = new Desk(broker, newMac())
    const { device } = await owner.ask()
    await owner.ask()
    const again = new Desk(broker, owner.macs[0] ?? '')
    again.claim = claim()
    const beside = new Desk(broker, owner.macs[0] ?? '')
    beside.claim = claim()
    await beside.ask()
    const { code } = await again.ask()
    await broker.admin.post(`/thin-clients/${device}/accept`, { code })
    t.match(await again.ask(), { device, deviceKey: String })
    t.notOk((await beside.ask()).deviceKey)
    t.match(await again.ask(), { device })
    t.equal(again.key === null, false)
  },
)

t.test('what others say who ask for the same row does not change what it shows', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const real = new Desk(broker, newMac(), '127.0.0.201')
  const { device } = await real.ask()
  const stranger = new Desk(broker, real.macs[0] ?? '', '127.0.0.202')
  stranger.hostname = 'other'
  const { code } = await stranger.ask()
  t.match(await broker.admin.get(`/thin-clients/${device}`), {
    address: '127.0.0.201',
    hostname: 'desk',
    askers: [{ address: '127.0.0.202', code }, { address: '127.0.0.201' }],
  })
  await t.rejects(broker.admin.post(`/thin-clients/${device}/accept`, { code: 'BBBB-BBBB' }), {
    code: 'code_needed',
  })
  await broker.admin.post(`/thin-clients/${device}/accept`, { address: '127.0.0.201' })
  t.notOk((await stranger.ask()).deviceKey)
  t.match(await real.ask(), { device, deviceKey: String })
})

t.test('impostors by the hundred make one event a day for a device', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desks = [new Desk(broker, newMac()), new Desk(broker, newMac())]
  for (const desk of desks) {
    await desk.ask()
    await desk.ask()
  }
  for (let round = 0; round < 40; round++)
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const mac = desks[index % 2]?.macs[0] ?? ''
        await new Desk(broker, mac, `127.0.0.${10 + index}`).ask()
      }),
    )
  const events = await broker.rows("SELECT * FROM event WHERE action = 'thin-client.wrong-key'")
  t.equal(events.length, 2)
})

t.test('unknown devices are bounded by address, and forgotten', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  for (let index = 0; index < 60; index++) await new Desk(broker, newMac(), STRANGE_ADDRESS).ask()
  t.equal((await broker.rows('SELECT id FROM thin_client')).length, 50)
  const refused = await new Desk(broker, newMac(), STRANGE_ADDRESS).ask()
  t.match(refused, { state: 'unknown', sentence: /Too many unknown devices/ })
  const other = await new Desk(broker, newMac(), '127.0.0.201').ask()
  t.match(other, { sentence: /is new/ }, 'another address has room')
  const own = new Desk(broker, newMac())
  await own.ask()
  t.same(await broker.admin.post('/thin-clients/forget-unaccepted'), { forgotten: 51 })
  t.equal((await broker.rows('SELECT id FROM thin_client')).length, 1)
  t.match(await new Desk(broker, newMac(), STRANGE_ADDRESS).ask(), { sentence: /is new/ })
})
