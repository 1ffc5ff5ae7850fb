import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Machine } from '../../broker/api/machines.js'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import type { Desk } from '../fleet/desk.js'
import type { GuestScreen } from '../fleet/guest-image.js'
import { type Screen, startScreen } from '../fleet/screen.js'
import { BerthOnFleet } from '../support/berth-on-fleet.js'
import { until } from '../support/until.js'
import { type DeskAgent, startAgent, untilShown } from './desk-agent.js'

t.setTimeout(900_000)
const berth = await BerthOnFleet.start({
  hosts: 1,
  name: 'desks',
  settings: { 'release-after': 'PT2S' },
})
t.teardown(async () => {
  await berth.stop()
})
const pictures = mkdtempSync(join(tmpdir(), 'berth-pictures-'))
await berth.makeDesktops(2, ['hv1'])
await berth.copy('base')
await berth.populate('base')
const desk = await berth.fleet.addDesk()
const other = await berth.fleet.addDesk({ mac: desk.mac })
const screen = await startScreen(desk)
await loadClients(
  `<client mac="${desk.mac}"><protocol>SPICE</protocol><machine-name>pc-1</machine-name></client>`,
)

async function loadClients(inner: string): Promise<void> {
  await berth.api.put('/clients-xml', { text: `<thin-clients>${inner}</thin-clients>` })
}
const switchOn = (at: Desk, on: Screen): DeskAgent => startAgent(berth, at, on)
const shown = async (wanted: Partial<GuestScreen>, withinMs = 60_000): Promise<GuestScreen> =>
  await untilShown(screen, join(pictures, 'desk.png'), wanted, withinMs)

const pc1 = async (): Promise<Machine> => await berth.machine('pc-1')
const devices = async (): Promise<ThinClient[]> =>
  (await berth.api.get<{ thinClients: ThinClient[] }>('/thin-clients')).thinClients

t.test(
  'a thin client that is switched on starts its machine and shows it, with nobody typing anything',
  async (t) => {
    const agent = switchOn(desk, screen)
    await shown({ name: 'pc-1', generation: 'one' })
    t.equal(statSync(join(desk.stateDir, 'agent', 'device-key')).mode & 0o777, 0o600)
    t.match(
      await until(async () => ((await pc1()).viewers.length > 0 ? (await pc1()).viewers : null), {
        withinMs: 10_000,
        what: 'QEMU says who is connected',
      }),
      [desk.address],
    )
    t.match(await devices(), [{ mac: desk.mac, state: 'ready', machine: 'pc-1', accepted: true }])
    const argv = await desk.run(['bash', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'])
    t.match(argv.stdout, 'remote-viewer')
    t.notMatch(argv.stdout, /password|ticket/)
    const listening = await berth.host(1).mustRun(['ss', '-tlnpH'])
    t.equal(
      listening.split('\n').filter((line) => line.includes('qemu-system')).length,
      1,
      'only the TLS port of the display listens',
    )

    populateLeavesItAlone(t)

    brokerAway(t)

    t.test(
      'when its user leaves it is renewed, and comes back with the new generation',
      async (t) => {
        await agent.stop()
        await until(async () => (await pc1()).generation === 'g2' && (await pc1()).job === null, {
          withinMs: 60_000,
          what: 'pc-1 was renewed',
        })
        const again = switchOn(desk, screen)
        await shown({ name: 'pc-1', generation: 'two' })
        await again.stop()
        t.match(await pc1(), { renewPending: false })
      },
    )
  },
)

function populateLeavesItAlone(t: Test) {
  t.test('while it is in use a populate leaves it alone', async (t) => {
    await berth.writeGeneration('golden', 'two')
    await berth.copy('base')
    t.match(await berth.populate('base'), {
      state: 'succeeded',
      targets: [
        { name: 'pc-1', state: 'skipped', message: /In use \(viewer at/ },
        { name: 'pc-2', state: 'done' },
      ],
    })
    t.match(await pc1(), { generation: 'g1', renewPending: true, power: 'running' })
    await shown({ generation: 'one' }, 5_000)
  })
}

function brokerAway(t: Test) {
  t.test('the broker being away stops no running desktop', async (t) => {
    await berth.broker.kill()
    await shown({ name: 'pc-1' }, 5_000)
    await berth.restartBroker()
    await berth.untilHypervisor('hv1', 'up')
    await until(async () => (await pc1()).viewers.length > 0, {
      withinMs: 15_000,
      what: 'the viewer is known again',
    })
    t.match(
      await pc1(),
      { renewPending: true, generation: 'g1' },
      'and nothing was taken from anybody',
    )
  })
}

t.test(
  'maintenance: the screen says why, and the desktop comes by itself when it ends',
  async (t) => {
    await berth.api.put('/machines/pc-1/maintenance', {
      on: true,
      reason: 'new software on Monday',
    })
    const agent = switchOn(desk, screen)
    await until(() => agent.said.includes('new software on Monday'), {
      withinMs: 20_000,
      what: 'the device says why it waits',
    })
    t.match(await devices(), [{ state: 'maintenance', sentence: /new software on Monday/ }])
    await berth.api.put('/machines/pc-1/maintenance', { on: false })
    await shown({ name: 'pc-1' })
    await agent.stop()

    t.test('a hypervisor in maintenance hands nothing out either', async (t) => {
      await berth.api.put('/hypervisors/hv1/maintenance', { on: true, reason: 'fan' })
      const waiting = switchOn(desk, screen)
      await until(() => waiting.said.includes('fan'), {
        withinMs: 20_000,
        what: 'the device says why it waits',
      })
      await berth.api.put('/hypervisors/hv1/maintenance', { on: false })
      await shown({ name: 'pc-1' })
      await waiting.stop()
      t.pass('it came by itself')
    })
  },
)

t.test('a second device with that MAC is nobody until the administrator says so', async (t) => {
  const monitor = await startScreen(other)
  const impostor = switchOn(other, monitor)
  await until(() => /does not show its key/.test(impostor.said), {
    withinMs: 20_000,
    what: 'the impostor is refused',
  })
  t.match((await devices())[0]?.note, new RegExp(`without its key asked from ${other.address}`))
  await impostor.stop()
  t.throws(() => readFileSync(join(other.stateDir, 'agent', 'device-key')), { code: 'ENOENT' })
})

t.test('a dock and an adapter come and go: the key decides, and the desktop comes', async (t) => {
  const card = async (...words: string[]): Promise<void> => {
    t.equal((await desk.run(['ip', ...words])).code, 0, words.join(' '))
  }
  const [device] = await devices()
  // The card of a dock, which sorts before its own.
  await card('link', 'add', 'aadock0', 'type', 'veth', 'peer', 'name', 'vethdock')
  await card('link', 'set', 'aadock0', 'address', '52:54:00:d0:c0:01')
  await card('address', 'add', '192.0.2.1/32', 'dev', 'aadock0')
  for (const end of ['vethdock', 'aadock0']) await card('link', 'set', end, 'up')
  const docked = switchOn(desk, screen)
  await shown({ name: 'pc-1' })
  await docked.stop()
  // Its own card is another one, after a repair; the dock is gone.
  await card('link', 'del', 'aadock0')
  await card('link', 'set', 'eth0', 'address', '52:54:00:d0:c0:02')
  const repaired = switchOn(desk, screen)
  await shown({ name: 'pc-1' })
  const [same] = await devices()
  t.equal(same?.id, device?.id)
  t.match(
    same?.macs.map(({ mac }) => mac).sort(),
    [desk.mac, '52:54:00:d0:c0:01', '52:54:00:d0:c0:02'].sort(),
  )
  t.ok(same?.macs.find(({ mac }) => mac === desk.mac)?.believed)
  const { events } = await berth.api.get<{ events: Array<{ action: string; object: string }> }>(
    '/events?limit=500',
  )
  t.ok(
    events.filter(
      ({ action, object }) =>
        action === 'thin-client.macs' && object === `thin-client:${device?.id ?? ''}`,
    ).length >= 2,
    'each change is in the audit log',
  )
  await card('link', 'set', 'eth0', 'address', desk.mac)
  await repaired.stop()
})

t.test('a bad clients.xml is refused, and the last good one stays in force', async (t) => {
  writeFileSync(berth.broker.clientsXml, '<thin-clients>\n<client mac="zz"/>\n</thin-clients>')
  await until(
    async () => (await berth.api.get<{ faults: unknown[] }>('/clients-xml')).faults.length > 0,
    { withinMs: 10_000, what: 'the faults are known' },
  )
  t.match(await berth.api.get('/clients-xml'), { clients: 1, faults: [{ line: 2 }, { line: 2 }] })
  const agent = switchOn(desk, screen)
  await shown({ name: 'pc-1' })
  await agent.stop()
  await screen.stop()
})
