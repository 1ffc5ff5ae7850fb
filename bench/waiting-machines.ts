import { Agent } from 'node:https'
import type { ApiClient } from '../test/support/api-client.js'
import { createMachines } from './fleet-with-broker.js'
import { addSimulatedHypervisors } from './simulated-place.js'
import { ThinClientStandIn } from './thin-client-stand-in.js'

const MACHINES_A_HOST = 500

/**
 * `shift`: how many machines further on each finds its own; `other`: the device that goes one
 * further than the rest.
 */
export function clientsXml(count: number, shift = 0, other = -1): string {
  const machines = machinesFor(count)
  const devices = Array.from({ length: count }, (_, number) => {
    const { mac } = new ThinClientStandIn({ url: '', agent: new Agent(), number })
    const machine = 1 + ((number + shift + (number === other ? 1 : 0)) % machines)
    return `<client mac="${mac}"><protocol>SPICE</protocol><machine-name>w-${machine}</machine-name></client>`
  })
  return `<thin-clients>${devices.join('\n')}</thin-clients>`
}

function machinesFor(count: number): number {
  return Math.ceil(count / 10)
}

export async function makeMachines(api: ApiClient, count: number): Promise<void> {
  const machines = machinesFor(count)
  const hypervisors = await addSimulatedHypervisors(
    api,
    Math.max(2, Math.ceil(machines / MACHINES_A_HOST)),
  )
  await createMachines(api, {
    name: 'w-golden',
    type: 'source',
    hypervisors: hypervisors.slice(0, 1),
  })
  await createMachines(api, {
    name: 'w-base',
    type: 'initial',
    parent: 'w-golden',
    hypervisors: hypervisors.slice(0, 1),
  })
  await createMachines(api, {
    name: 'w-{n}',
    count: machines,
    type: 'vdi',
    parent: 'w-base',
    hypervisors,
  })
  await api.put('/machines/w-base/maintenance', { on: true, reason: 'They wait', children: true })
}
