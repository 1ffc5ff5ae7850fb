import { randomBytes } from 'node:crypto'
import type { SpiceConsole } from '../api/machines.js'
import { spiceSubject } from '../certificates/authority.js'
import { BrokerError } from '../errors.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Store } from '../store/open.js'

export interface ConsolesDeps { readonly store: Store, readonly hypervisors: Hypervisors, readonly ca: string }

/** By the hypervisor's clock. */
export const TICKET_SECONDS = 30

/**
 * Gives a fresh one-time ticket for a running machine's SPICE display: 256 bits in 43 characters (SPICE takes 60). QEMU has accepted it when this returns;
 * viewers that are connected stay so. Throws `machine_off` or `hypervisor_unreachable`.
 */
export async function spiceConsole (deps: ConsolesDeps, machine: { id: string, name: string, hypervisor: string }): Promise<SpiceConsole> {
  const hypervisor = deps.hypervisors.row(machine.hypervisor)
  const password = randomBytes(32).toString('base64url')
  try {
    const { tls_port: tlsPort } = await deps.hypervisors.link(machine.hypervisor).request<{ tls_port: number }>('ticket', { domain: machine.name, password, ttl_seconds: TICKET_SECONDS, connected: 'keep' })
    return { protocol: 'spice', host: hypervisor.display_address, tlsPort, password, ca: deps.ca, hostSubject: spiceSubject(hypervisor.name), title: machine.name, ticketSeconds: TICKET_SECONDS }
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'not_found') throw new BrokerError('machine_off', `${machine.name} is not running: start it first.`, { cause: error })
    throw error
  }
}
