import t, { type Test } from 'tap'
import type { Desktop } from '../../../broker/api/assignments.js'
import type { Hypervisor } from '../../../broker/api/hypervisors.js'
import type { SpiceConsole } from '../../../broker/api/machines.js'
import type { FleetHost } from '../../fleet/fleet-host.js'
import { channelTypes, SpiceChannel } from '../../hypervisor-scripts/viewer.js'
import { BerthOnFleet } from '../../support/berth-on-fleet.js'
import { until } from '../../support/until.js'

t.setTimeout(900_000)
const RETENTION_S = 20
const berth = await BerthOnFleet.start({
  hosts: 3,
  name: 'unknown',
  settings: {
    'observe-every': 'PT2S',
    'observation-age': 'PT8S',
    'observation-grace': 'PT3S',
    'display-timeout': 'PT1S',
    'shutdown-timeout': 'PT15S',
  },
})
t.teardown(async () => {
  for (const host of berth.fleet.hosts)
    await host.run(['bash', '-c', 'kill -CONT $(cat /run/libvirt/qemu/*.pid)'])
  await berth.stop()
})
const [hv1, hv2, hv3] = [berth.host(1), berth.host(2), berth.host(3)]
await berth.makeSource('golden', 'one')
for (const [host, size] of [
  [hv1, 3],
  [hv2, 1],
  [hv3, 1],
] as const) {
  await berth.api.done('/pools', {
    name: host.name.replace('hv', 'p'),
    from: 'golden',
    size,
    hypervisors: [host.name],
    policy: { retention: `PT${RETENTION_S}S`, disconnectGrace: 'PT0S' },
  })
}

async function give(user: string, machine: string): Promise<void> {
  await berth.api.post('/users', { name: user, password: 'a long enough password' })
  await until(
    async () =>
      (await berth.api.post<Desktop>(`/machines/${machine}/assign`, { user, waitMs: 10_000 }))
        .phase === 'ready',
    { withinMs: 90_000, what: `${user} has ${machine}` },
  )
}
const ticketOf = async (machine: string): Promise<SpiceConsole> =>
  await berth.api.post<SpiceConsole>(`/machines/${machine}/console`)
async function sit({ host, tlsPort, password, ca }: SpiceConsole): Promise<SpiceChannel> {
  const channel = await SpiceChannel.open({ host, port: tlsPort, ca }, password, channelTypes.main)
  if (!channel) throw new Error('the ticket was refused')
  return channel
}
const holders = async (): Promise<string[]> =>
  (await berth.api.get<{ desktops: Desktop[] }>('/desktops')).desktops
    .map(({ holder }) => holder)
    .sort()
async function qemu(host: FleetHost, machine: string, signal: 'STOP' | 'CONT'): Promise<void> {
  await host.mustRun(['bash', '-c', `kill -${signal} $(cat /run/libvirt/qemu/${machine}.pid)`])
}

const MACHINES = {
  ann: 'p1-1',
  bob: 'p1-2',
  erin: 'p1-3',
  carol: 'p2-1',
  dave: 'p3-1',
}

t.test(
  'a QEMU, a libvirtd and a helper that hang, beyond every retention: nobody loses the ' +
    'desktop before them, others go on',
  async (t) => {
    await Promise.all(
      Object.entries(MACHINES).map(async ([user, machine]) => await give(user, machine)),
    )
    const bob = await sit(await ticketOf(MACHINES.bob))
    await until(async () => (await berth.machine(MACHINES.bob)).viewers.length > 0, {
      withinMs: 15_000,
      what: 'bob is seen',
    })
    const tickets = [await ticketOf(MACHINES.carol), await ticketOf(MACHINES.dave)] as const
    const forAnn = await ticketOf(MACHINES.ann)
    await ticketOf(MACHINES.erin) // who never comes
    await qemu(hv1, MACHINES.bob, 'STOP')
    await hv2.stall('libvirtd')
    await hv3.stall('helper')
    const hungMs = performance.now()
    const [carol, dave, ann] = [await sit(tickets[0]), await sit(tickets[1]), await sit(forAnn)]
    await unknownCountsAsUsed(t, hungMs)

    await qemu(hv1, MACHINES.bob, 'CONT')
    await hv2.resume('libvirtd')
    await hv3.resume('helper')
    for (const user of ['ann', 'bob', 'carol', 'dave'] as const)
      await until(
        async () => {
          const { viewers, viewersUnknown, power } = await berth.machine(MACHINES[user])
          return viewers.length > 0 && viewersUnknown === '' && power === 'running'
        },
        { withinMs: 90_000, what: `${user} is seen` },
      )
    t.same(await holders(), ['ann', 'bob', 'carol', 'dave'])
    for (const [name, viewer] of Object.entries({ ann, bob, carol, dave }))
      t.equal(viewer.closed, false, `${name} was never cut`)
    for (const viewer of [ann, bob, carol, dave]) viewer.close()
  },
)

async function unknownCountsAsUsed(t: Test, hungMs: number): Promise<void> {
  await until(async () => (await berth.machine(MACHINES.bob)).viewersUnknown !== '', {
    withinMs: 10_000,
    what: "bob's machine is shown as one that does not say who is connected",
  })
  t.match(await berth.machine(MACHINES.bob), {
    power: 'running',
    viewersUnknown: /did not answer within 1000 ms|does not answer its monitor/,
  })
  await until(async () => (await berth.machine(MACHINES.ann)).viewers.length > 0, {
    withinMs: 10_000,
    what: 'ann, on the same host, is seen all the same',
  })
  for (const host of [hv2, hv3])
    t.match(
      await until(
        async () => {
          const seen = await berth.api.get<Hypervisor>(`/hypervisors/${host.name}`)
          return seen.observed.current ? null : seen
        },
        { withinMs: 60_000, what: `${host.name} counts as not seen` },
      ),
      { reason: /./ },
      `${host.name} says so`,
    )
  await until(async () => !(await holders()).includes('erin'), {
    withinMs: 90_000,
    what: "erin's time is over: hers is taken as ever",
  })
  await berth.untilPower(MACHINES.erin, 'off', 60_000)
  await until(() => performance.now() - hungMs > 4 * RETENTION_S * 1_000, {
    withinMs: 120_000,
    everyMs: 500,
    what: 'four times the retention has passed',
  })
  t.same(await holders(), ['ann', 'bob', 'carol', 'dave'])
}
