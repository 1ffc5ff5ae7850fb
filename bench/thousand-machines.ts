import type { MachineList } from '../broker/api/machines.js'
import { until } from '../test/support/until.js'
import { createMachines, type FleetWithBroker } from './fleet-with-broker.js'
import type { BenchOptions, Places } from './places.js'

/** Ten real hypervisors with a thousand machines defined on them, all of them seen by the broker. */
export async function thousandMachines(
  places: Places,
  { small, log }: BenchOptions,
): Promise<{ place: FleetWithBroker; hosts: number; machines: number }> {
  const [hosts, machines] = small ? [2, 50] : [10, 1_000]
  const place = await places.fleet(hosts)
  const { api, fleet } = place
  const there = (await api.get<MachineList>('/machines?type=vdi')).machines.length
  if (there === 0) {
    log(`Defining ${machines} machines on ${hosts} hypervisors …`)
    const names = fleet.hosts.map((host) => host.name)
    await createMachines(api, {
      name: 'thousand-golden',
      type: 'source',
      hypervisors: names.slice(0, 1),
      diskGib: 1,
    })
    await createMachines(api, {
      name: 'thousand-base',
      type: 'initial',
      parent: 'thousand-golden',
      hypervisors: names.slice(0, 1),
    })
    await createMachines(api, {
      name: 'thousand-{nnnn}',
      count: machines,
      type: 'vdi',
      parent: 'thousand-base',
      hypervisors: names,
    })
  }
  await until(
    async () =>
      (await api.get<MachineList>('/machines?type=vdi')).machines.every(
        (machine) => machine.power === 'off',
      ),
    { withinMs: 120_000, everyMs: 1_000, what: 'the broker has seen every machine' },
  )
  return { place, hosts, machines }
}
