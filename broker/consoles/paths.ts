import type { MachinePath } from '../api/consoles.js'
import { BrokerError } from '../errors/broker-error.js'
import { isHidden, isLocal } from '../hypervisors/listen.js'
import type { Hypervisors } from '../hypervisors/service.js'
import { type GuestAddress, guestAddresses, probe } from './guest-ports.js'

export interface PathMachine {
  readonly id: string
  readonly name: string
  readonly hypervisor: string
  readonly network: string
  readonly power: string
}
interface Service {
  readonly protocol: 'rdp' | 'ssh'
  readonly port: number
  readonly localPort: number
  readonly direct: (address: string) => string
  readonly forwarded: (localPort: number) => string
}

/** Windows, xrdp and GNOME answer on 3389 alike: a service is found by its port, never by the system. */
const RDP: Service = {
  protocol: 'rdp',
  port: 3389,
  localPort: 13389,
  direct: (address) => `xfreerdp /v:${bracketed(address)}`,
  forwarded: (localPort) => `xfreerdp /v:127.0.0.1:${localPort}`,
}
const SERVICES: readonly Service[] = [
  RDP,
  {
    protocol: 'ssh',
    port: 22,
    localPort: 10022,
    direct: (address) => `ssh ${address}`,
    forwarded: (localPort) => `ssh -p ${localPort} 127.0.0.1`,
  },
]

/**
 * Every way to a machine, with what to type for it. RDP and SSH are looked for from the hypervisor,
 * at most 1.5 s each.
 */
export async function machinePaths(
  hypervisors: Hypervisors,
  machine: PathMachine,
  proxyPort: number,
): Promise<MachinePath[]> {
  const hypervisor = hypervisors.row(machine.hypervisor)
  const displays = displayPaths(
    machine,
    hypervisor.display_address,
    proxyPort,
    isHidden(hypervisor),
  )
  if (machine.power !== 'running')
    return [
      ...displays,
      ...SERVICES.map((service) => unreachable(service, `${machine.name} is not running.`)),
    ]
  let addresses: GuestAddress[]
  try {
    addresses = await guestAddresses(hypervisors, machine)
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    return [...displays, ...SERVICES.map((service) => unreachable(service, error.message))]
  }
  const services = await Promise.all(
    SERVICES.map(async (service) =>
      servicePaths(machine, service, await probe(hypervisors, machine, addresses, service.port)),
    ),
  )
  return [...displays, ...services.flat()]
}

/**
 * The address at which whoever reaches the guest's own network finds its RDP now, or null: a guest
 * behind its host's NAT has none. Asked of the hypervisor, at most 1.5 s.
 */
export async function directRdp(
  hypervisors: Hypervisors,
  machine: PathMachine,
): Promise<string | null> {
  if (!machine.network.startsWith('bridge:')) return null
  try {
    const address = await probe(
      hypervisors,
      machine,
      await guestAddresses(hypervisors, machine),
      RDP.port,
    )
    return address === null ? null : bracketed(address)
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    return null // it has no address yet, or its host is away
  }
}

/** Pure. */
export function displayPaths(
  machine: PathMachine,
  displayAddress: string,
  proxyPort: number,
  hidden = isLocal(displayAddress),
): MachinePath[] {
  const running = machine.power === 'running'
  const off = running ? '' : `${machine.name} is not running.`
  const spice = (via: 'direct' | 'proxy', fault: string, address: string | null): MachinePath => ({
    protocol: 'spice',
    via,
    reachable: fault === '',
    address: fault === '' ? address : null,
    port: null,
    sentence:
      fault ||
      (via === 'direct'
        ? 'The display, from your place to the hypervisor.'
        : 'The display, through the broker.'),
    commands: fault === '' ? [`berth connect ${machine.name} --via ${via}`] : [],
  })
  return [
    spice(
      'direct',
      off || (hidden ? `The displays of ${machine.hypervisor} listen on its loopback only.` : ''),
      displayAddress,
    ),
    spice(
      'proxy',
      off ||
        (proxyPort === 0 ? 'The broker has no console proxy (setting console-proxy-port).' : ''),
      null,
    ),
    {
      protocol: 'vnc',
      via: 'browser',
      reachable: running,
      address: null,
      port: null,
      sentence: off || 'The display, in a browser: open this page of the broker.',
      commands: running ? [consolePage(machine.name)] : [],
    },
  ]
}

/** The page that shows a machine's screen, as a path of the broker. */
export function consolePage(machine: string): string {
  return `/machines/${machine}/console`
}

/** Pure. The paths in the order of a pool's policy; protocols that it does not name come last, in their own order. */
export function inOrder(
  paths: readonly MachinePath[],
  protocols: readonly string[],
): MachinePath[] {
  const rank = (path: MachinePath): number =>
    protocols.includes(path.protocol) ? protocols.indexOf(path.protocol) : protocols.length
  return [...paths].sort((a, b) => rank(a) - rank(b))
}

/** Pure. A guest on a bridge has an address that others may reach too; one behind the host's NAT has not. */
export function servicePaths(
  machine: PathMachine,
  service: Service,
  address: string | null,
): MachinePath[] {
  if (address === null)
    return [unreachable(service, `Nothing answers on port ${service.port} within 1.5 s.`)]
  const found = { protocol: service.protocol, reachable: true, address, port: service.port }
  const forward: MachinePath = {
    ...found,
    via: 'forward',
    sentence: 'It answers; through the broker and the hypervisor.',
    commands: [
      `berth port-forward ${machine.name} ${service.localPort}:${service.port}`,
      service.forwarded(service.localPort),
    ],
  }
  if (!machine.network.startsWith('bridge:')) return [forward]
  return [
    {
      ...found,
      via: 'direct',
      sentence: 'It answers; directly, where that network can be reached.',
      commands: [service.direct(address)],
    },
    forward,
  ]
}

function unreachable(service: Service, sentence: string): MachinePath {
  return {
    protocol: service.protocol,
    via: 'forward',
    reachable: false,
    address: null,
    port: service.port,
    sentence,
    commands: [],
  }
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}
