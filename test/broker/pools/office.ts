import type { Desktop } from '../../../broker/api/assignments.js'
import type { Pool, PoolDetail } from '../../../broker/api/pools.js'
import { SimulatedBroker, type SimulatedBrokerOptions } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'

/** A broker with simulated hosts and a stopped golden machine, `golden-desktop`. */
export async function office(options: SimulatedBrokerOptions = {}): Promise<SimulatedBroker> {
  const broker = await SimulatedBroker.start({ hosts: 2, ...options })
  await broker.addHypervisors()
  const { job } = await broker.admin.post<{ job: string }>('/machines', {
    name: 'golden-desktop',
    type: 'source',
    hypervisors: ['hv1'],
    diskGib: 1,
    memoryMib: 1024,
  })
  await broker.admin.succeeded(job)
  // Its power is seen a moment after the job is done; until then the row of the machine still changes.
  await until(
    async () =>
      (await broker.rows("SELECT 1 FROM machine WHERE name = 'golden-desktop' AND power = 'off'"))
        .length === 1,
    { withinMs: 10_000, what: 'golden-desktop is seen as off' },
  )
  return broker
}

/** Creates a pool and waits until its members are built. */
export async function poolOf(
  broker: SimulatedBroker,
  name: string,
  size: number,
  policy: object = {},
): Promise<PoolDetail> {
  const { job } = await broker.admin.post<{ pool: Pool; job: string | null }>('/pools', {
    name,
    from: 'golden-desktop',
    size,
    policy,
  })
  if (job !== null) await broker.admin.succeeded(job)
  return await show(broker, name)
}

export async function show(broker: SimulatedBroker, name: string): Promise<PoolDetail> {
  return await broker.admin.get<PoolDetail>(`/pools/${name}`)
}

export async function desktopOf(broker: SimulatedBroker, machine: string): Promise<Desktop> {
  const { desktops } = await broker.admin.get<{ desktops: Desktop[] }>('/desktops')
  const desktop = desktops.find((one) => one.machine === machine)
  if (!desktop) throw new Error(`nobody has ${machine}`)
  return desktop
}

/** Waits until the members' states, in their order, are these: `free running`, `assigned off`. */
export async function untilMembers(
  broker: SimulatedBroker,
  pool: string,
  wanted: string[],
): Promise<PoolDetail> {
  return await until(
    async () => {
      const detail = await show(broker, pool)
      const seen = detail.members.map((member) => `${member.state} ${member.power}`)
      if (seen.join() !== wanted.join()) throw new Error(seen.join())
      return detail
    },
    { withinMs: 30_000, what: `${pool}: ${wanted.join()}` },
  )
}
