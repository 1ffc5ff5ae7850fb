import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { ClaimAnswer, Desktop } from '../../../broker/api/assignments.js'
import type { SpiceConsole } from '../../../broker/api/machines.js'
import type { PoolDetail } from '../../../broker/api/pools.js'
import type { FleetHost } from '../../fleet/fleet-host.js'
import { channelTypes, SpiceChannel } from '../../hypervisor-scripts/viewer.js'
import { ApiClient } from '../../support/api-client.js'
import { BerthOnFleet } from '../../support/berth-on-fleet.js'
import { until } from '../../support/until.js'

export const berth = await BerthOnFleet.start({
  hosts: 2,
  name: 'hand-over',
  settings: { 'shutdown-timeout': 'PT20S' },
})
t.teardown(async () => {
  await berth.stop()
})
export const hosts = [berth.host(1), berth.host(2)]
await berth.makeSource('golden', 'one')
export const [alice, bob, carol, dave] = [
  await person('alice'),
  await person('bob@example.org'),
  await person('Č. Ž.'),
  await person('dave'),
]
export const people = [alice, bob, carol, dave]

async function person(name: string): Promise<ApiClient> {
  const password = randomBytes(12).toString('hex')
  await berth.api.post('/users', { name, password })
  const { token } = await berth.api.post<{ token: string }>('/login', { name, password })
  return new ApiClient(berth.broker.url, berth.broker.ca, token)
}
export async function makePool(
  name: string,
  size: number,
  policy: object,
  more: object = {},
): Promise<void> {
  await berth.api.done('/pools', {
    name,
    from: 'golden',
    size,
    policy,
    ...more,
  })
  await berth.api.put('/grants', {
    kind: 'pool',
    object: name,
    subjectKind: 'role',
    subject: 'user',
    verbs: ['start', 'accessConsole', 'release'],
  })
}
/** Asks until it can be opened; also in a queue. */
export async function claim(who: ApiClient, pool: string, withinMs = 90_000): Promise<Desktop> {
  return await until(
    async () => {
      const { desktop, queue } = await who.post<ClaimAnswer>(`/pools/${pool}/claim`, {
        wait: true,
        waitMs: 10_000,
      })
      if (desktop?.phase === 'ready') return desktop
      throw new Error(desktop?.sentence ?? queue?.sentence)
    },
    { withinMs, what: `a desktop of ${pool} can be opened` },
  )
}
export const show = async (pool: string): Promise<PoolDetail> =>
  await berth.api.get<PoolDetail>(`/pools/${pool}`)
export const hostOf = async (machine: string): Promise<FleetHost> =>
  berth.host((await berth.machine(machine)).hypervisor === 'hv1' ? 1 : 2)
export const inGuest = async (machine: string, script: string): Promise<string> =>
  await berth.inGuest(machine, await hostOf(machine), '/bin/busybox', ['sh', '-c', script])
/** A viewer of one channel that stays until it is closed or cut. */
export async function connect(who: ApiClient, machine: string): Promise<SpiceChannel> {
  const { host, tlsPort, password, ca } = await who.post<SpiceConsole>(
    `/machines/${machine}/console`,
  )
  const channel = await SpiceChannel.open({ host, port: tlsPort, ca }, password, channelTypes.main)
  if (!channel) throw new Error('the ticket was refused')
  await until(async () => (await berth.machine(machine)).viewers.length > 0, {
    withinMs: 15_000,
    what: 'the viewer is seen',
  })
  return channel
}

/** The broker of now, with its hosts. */
export async function restarted(crashAt?: string): Promise<void> {
  await berth.restartBroker(crashAt)
  for (const host of hosts) await berth.untilHypervisor(host.name, 'up')
}
