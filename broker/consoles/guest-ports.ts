import type { Duplex } from 'node:stream'
import { BrokerError, refusal } from '../errors/broker-error.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { ConsoleMachine } from './asker.js'

/** How long a guest's port may take to answer. */
const CONNECT_WITHIN_MS = 10_000
export const PROBE_WITHIN_MS = 1_500

export interface GuestAddress {
  readonly address: string
  readonly source: 'lease' | 'arp' | 'agent'
}

/**
 * Addresses of the guest that its hypervisor vouches for: leased to its MAC, or seen at its MAC.
 * IPv4 first. Throws `machine_off`, or `address_unknown` when there is none.
 */
export async function guestAddresses(
  hypervisors: Hypervisors,
  machine: ConsoleMachine,
): Promise<GuestAddress[]> {
  const { items } = await hypervisors
    .link(machine.hypervisor)
    .request<{ items: GuestAddress[] }>('guest_addresses', { domain: machine.name })
    .catch((error: unknown) => {
      if (error instanceof BrokerError && error.code === 'not_found')
        throw refusal('machine_off', { machine: machine.name }, { cause: error })
      throw error
    })
  if (items.length === 0)
    throw refusal('guest_address_unknown', {
      hypervisor: machine.hypervisor,
      machine: machine.name,
    })
  return [...items].sort(
    (a, b) => Number(a.address.includes(':')) - Number(b.address.includes(':')),
  )
}

/**
 * A connection to a port of the guest, made by its hypervisor. Tries one address after the other.
 * Throws `connection_refused`.
 */
export async function connectToGuest(
  hypervisors: Hypervisors,
  machine: ConsoleMachine,
  port: number,
  withinMs = CONNECT_WITHIN_MS,
): Promise<{ stream: Duplex; address: string }> {
  let last: unknown
  for (const { address } of await guestAddresses(hypervisors, machine)) {
    try {
      return {
        stream: await hypervisors.link(machine.hypervisor).openConnection(address, port, withinMs),
        address,
      }
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code !== 'connection_refused') throw error
      last = error
    }
  }
  throw last
}

/** The first of the addresses at which the port answers, or null. */
export async function probe(
  hypervisors: Hypervisors,
  machine: ConsoleMachine,
  addresses: readonly GuestAddress[],
  port: number,
): Promise<string | null> {
  const found = await Promise.all(
    addresses.map(async ({ address }) => {
      const stream = await hypervisors
        .link(machine.hypervisor)
        .openConnection(address, port, PROBE_WITHIN_MS)
        .catch(() => null)
      stream?.on('error', () => {}).destroy()
      return stream ? address : null
    }),
  )
  return found.find((address) => address !== null) ?? null
}
