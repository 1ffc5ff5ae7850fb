import t from 'tap'
import type { ThinClient } from '../../../broker/api/thin-clients.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { clientsXml, Desk, entry, newMac, office } from './desk.js'

async function listed(broker: SimulatedBroker): Promise<ThinClient[]> {
  return (await broker.admin.get<{ thinClients: ThinClient[] }>('/thin-clients')).thinClients
}

/** Whether it is told something of this machine. */
async function gets(broker: SimulatedBroker, desk: Desk): Promise<string[]> {
  const { device } = await desk.ask()
  return (await broker.admin.get<{ gets: string[] }>(`/thin-clients/${device}`)).gets
}

t.test(
  'two laptops that share a dock are two devices, each with what is meant for it',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const [dock, cardOfOne, cardOfTwo] = [newMac(), newMac(), newMac()]
    await clientsXml(
      broker,
      entry(`mac="${dock}"`, 'spice:pc-1') + entry(`mac="${cardOfTwo}"`, 'spice:pc-2'),
    )
    const one = new Desk(broker, dock)
    one.macs = [dock, cardOfOne]
    const two = new Desk(broker, dock)
    two.macs = [dock, cardOfTwo]
    two.hostname = 'laptop-two'
    const ids = [(await one.ask()).device, (await two.ask()).device]
    t.not(ids[0], ids[1])
    t.match(await one.ask(), { device: ids[0] })
    t.match(await two.ask(), { device: ids[1] })
    t.same(await gets(broker, one), ['pc-1'])
    t.same(await gets(broker, two), ['pc-2'], 'the dock was known as the other one’s')
    one.macs = [cardOfOne]
    t.same(await gets(broker, one), ['pc-1'], 'it is the same device without its dock')
  },
)

t.test('two that say one and the same MAC become two when the administrator says so', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const [one, two] = [new Desk(broker, newMac()), new Desk(broker, '')]
  two.macs = one.macs
  two.claim = 'ab'.repeat(32)
  const first = (await one.ask()).device
  await one.ask()
  t.match(await two.ask(), { state: 'unknown', device: '' })
  await broker.admin.post(`/thin-clients/${first}/accept`, { asNew: true })
  const second = await two.ask()
  t.match(second, { deviceKey: /^[0-9a-f]{64}$/ })
  t.not(second.device, first)
  t.match(await one.ask(), { device: first }, 'the first one stays what it was')
  t.match(await two.ask(), { device: second.device })
  t.equal((await listed(broker)).length, 2)
})

t.test(
  'a host name and a MAC that come later give no desktop until an administrator accepts them',
  async (t) => {
    const broker = await office(3)
    t.teardown(async () => {
      await broker.remove()
    })
    const [later, bossMac] = [newMac(), newMac()]
    await clientsXml(
      broker,
      entry('hostname="Boss-PC"', 'spice:pc-1') +
        entry(`mac="${later}"`, 'spice:pc-2') +
        entry(`mac="${bossMac}"`, 'spice:pc-3'),
    )
    const own = new Desk(broker, newMac())
    const { device } = await own.ask()
    own.hostname = 'boss-pc'
    t.match(await own.ask(), { state: 'unknown', sentence: /No desktop/ })
    own.macs = [...own.macs, later]
    t.match(await own.ask(), { state: 'unknown', sentence: /No desktop/ })
    t.match(
      (await listed(broker)).map(({ note }) => note),
      [/host name boss-pc.*which gives it nothing/],
    )
    const boss = new Desk(broker, bossMac)
    boss.hostname = 'boss-pc'
    t.same(await gets(broker, boss), ['pc-3'], 'the first to name a MAC has not taken it')
    await own.ask()
    await broker.admin.post(`/thin-clients/${device}/accept`, {})
    t.same(await gets(broker, own), ['pc-2'])
    t.match(
      (await listed(broker)).find((one) => one.id === device),
      { note: '' },
    )
    const late = new Desk(broker, newMac())
    late.hostname = 'boss-pc'
    t.match(
      await late.ask(),
      { state: 'unknown', sentence: /No desktop/ },
      'a name by which another one is known',
    )
  },
)

t.test('a device has a name of the administrator’s choice', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const [one, two] = [new Desk(broker, newMac()), new Desk(broker, newMac())]
  const [first, second] = [(await one.ask()).device, (await two.ask()).device]
  t.match(await broker.admin.patch(`/thin-clients/${first}`, { name: 'Reception' }), {
    name: 'Reception',
  })
  await t.rejects(broker.admin.patch(`/thin-clients/${second}`, { name: 'reception' }), {
    code: 'name_taken',
  })
  t.match(await broker.rows("SELECT detail FROM event WHERE action = 'thin-client.rename'"), [
    { detail: '{"before":"","after":"Reception"}' },
  ])
})
