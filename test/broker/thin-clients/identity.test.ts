import t from 'tap'
import type { ThinClient } from '../../../broker/api/thin-clients.js'
import { Desk, newMac, office, STRANGE_ADDRESS } from './desk.js'

/** A device that asks, and shows its key: from then on the key is no longer on its way. */
async function known(desk: Desk): Promise<string> {
  await desk.ask()
  return (await desk.ask()).device
}

t.test('a device of a configured network gets a key once, and is known by it', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desk = new Desk(broker, newMac())
  const first = await desk.ask()
  t.match(first.deviceKey, /^[0-9a-f]{64}$/)
  const second = await desk.ask()
  t.notOk('deviceKey' in second, 'it has shown it')
  t.equal(second.device, first.device)
  t.match(await broker.admin.get<{ thinClients: ThinClient[] }>('/thin-clients'), {
    thinClients: [{ mac: desk.macs[0], accepted: true }],
  })
  t.notOk(
    JSON.stringify(await broker.rows('SELECT * FROM thin_client')).includes(desk.key ?? 'none'),
    'the key is kept as a hash',
  )
})

t.test('a second device with that MAC is unknown, and the administrator is shown it', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desk = new Desk(broker, newMac())
  await known(desk)
  const thief = new Desk(broker, desk.macs[0] ?? '', '127.0.0.2')
  const answer = await thief.ask()
  t.match(answer, {
    state: 'unknown',
    sentence: /does not show its key/,
    code: /^[A-Z]{4}-[A-Z]{4}$/,
  })
  t.notOk('deviceKey' in answer)
  t.match(await broker.admin.get('/thin-clients'), {
    thinClients: [
      {
        note: /127\.0\.0\.2/,
        askers: [{ address: '127.0.0.2', code: answer.code, trusted: true }],
      },
    ],
  })
  t.match(await broker.rows("SELECT * FROM event WHERE action = 'thin-client.wrong-key'"), [
    { result: 'refused', address: '127.0.0.2' },
  ])
  t.notMatch((await desk.ask()).sentence, /key/, 'the first one is still known')
})

t.test('a key whose answer was lost is given again, to the same device', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desk = new Desk(broker, newMac())
  const { device, deviceKey } = await desk.ask()
  desk.key = null
  t.match(await desk.ask(), { device, deviceKey }, 'an older agent, by MAC and address')
  desk.key = null
  desk.claim = 'ab'.repeat(32)
  const again = await desk.ask()
  t.match(again, { device, deviceKey: /^[0-9a-f]{64}$/ }, 'switched on again meanwhile')
  desk.key = null
  t.match(await desk.ask(), { device, deviceKey: again.deviceKey }, 'by its claim')
  await broker.stop()
  await broker.start()
  desk.key = null
  t.match(await desk.ask(), { device, deviceKey: /^[0-9a-f]{64}$/ }, 'the broker was restarted')
  const elsewhere = new Desk(broker, desk.macs[0] ?? '', STRANGE_ADDRESS)
  t.notOk((await elsewhere.ask()).deviceKey, 'not to one of a network that is not trusted')
  t.notOk((await desk.ask()).deviceKey, 'the last one was shown')
  desk.key = null
  desk.claim = 'cd'.repeat(32)
  t.match(await desk.ask(), { state: 'unknown' }, 'and is not given again')
})

t.test(
  'a known device that lost its key is unknown until the administrator accepts it; then it gets a new one',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const desk = new Desk(broker, newMac())
    const device = await known(desk)
    const oldKey = desk.key
    desk.key = null
    t.match(await desk.ask(), {
      state: 'unknown',
      sentence: new RegExp(`berth thin-client accept ${device}`),
    })
    await broker.admin.post(`/thin-clients/${device}/accept`)
    t.match(await desk.ask(), { deviceKey: /^[0-9a-f]{64}$/, device })
    await desk.ask()
    const other = new Desk(broker, desk.macs[0] ?? '')
    t.notOk('deviceKey' in (await other.ask()))
    const old = new Desk(broker, desk.macs[0] ?? '')
    old.key = oldKey
    t.match(await old.ask(), { state: 'unknown' }, 'the old key is worth nothing')
  },
)

t.test('an acceptance is over when the device shows the key that it has', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desk = new Desk(broker, newMac())
  const device = await known(desk)
  await broker.run(
    'UPDATE thin_client SET accept_for = ?, accept_until = ?',
    'address:127.0.0.1',
    4e12,
  )
  await desk.ask()
  t.match(await new Desk(broker, desk.macs[0] ?? '').ask(), { state: 'unknown' })
  t.match(await desk.ask(), { device })
})

t.test(
  'a key that was never given opens nothing; a key decides, whatever MACs are said',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const [one, two] = [new Desk(broker, newMac()), new Desk(broker, newMac())]
    const id = await known(one)
    await known(two)
    two.key = 'ab'.repeat(32)
    t.match(await two.ask(), { state: 'unknown', sentence: /does not show its key/ })
    t.equal(await two.report({ protocol: 'spice', title: 'pc-1' }), 403)
    t.equal(await one.report({ protocol: 'spice', title: 'pc-1' }), 200)
    const [first] = one.macs
    one.macs = [newMac()]
    t.match(await one.ask(), { device: id })
    await one.ask()
    t.equal(await one.report({ protocol: 'spice', title: 'pc-1' }), 200)
    const { thinClients } = await broker.admin.get<{ thinClients: ThinClient[] }>('/thin-clients')
    t.equal(thinClients.length, 2, 'a report makes no device known')
    t.match(
      thinClients.find((device) => device.id === id),
      {
        mac: first,
        macs: [
          { mac: first, believed: true },
          { mac: one.macs[0], believed: false },
        ],
      },
    )
    t.match(
      await broker.rows<{ detail: string }>(
        "SELECT * FROM event WHERE action = 'thin-client.macs'",
      ),
      [{ object: `thin-client:${id}` }],
      'one event, however often it asks',
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
    desk.key = null
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
    t.equal(new Set(answers.map((answer) => answer.deviceKey)).size, 1)
    t.match(answers[0]?.deviceKey, /^[0-9a-f]{64}$/)
    t.equal((await broker.rows('SELECT id FROM thin_client')).length, 1)
  },
)
