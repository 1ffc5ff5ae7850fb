import { existsSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'

declare const BERTH_VERSION: string | undefined

/** Set when the bundle is made; sources that run unbundled say so. */
export const VERSION = typeof BERTH_VERSION === 'string' ? BERTH_VERSION : '0.0.0-source'

const MADE_BY_SOFTWARE = /^(lo|docker|virbr|veth|br-|vnet|tap|tun|wg|cni|podman)/
const MAX_MACS = 16

export interface NetworkInterface {
  readonly name: string
  readonly mac: string
  readonly physical: boolean
}

/**
 * The MACs that name this device, sorted by interface: those of physical interfaces; where there are none (a container, a network namespace), those of all
 * that are not obviously made by software; where there are none of these either, whatever there is.
 */
export function macsOf(interfaces: readonly NetworkInterface[]): string[] {
  const usable = interfaces.filter(({ name, mac }) => name !== 'lo' && mac !== '00:00:00:00:00:00')
  const kinds = [
    usable.filter(({ physical }) => physical),
    usable.filter(({ name }) => !MADE_BY_SOFTWARE.test(name)),
    usable,
  ]
  const chosen = [...(kinds.find((kind) => kind.length > 0) ?? [])].sort((a, b) =>
    a.name.localeCompare(b.name),
  )
  return [...new Set(chosen.map(({ mac }) => mac.toLowerCase()))].slice(0, MAX_MACS)
}

/** The interfaces of the network namespace the agent runs in. A physical one has a `device` link in sysfs (sysfs-class-net). */
export function readInterfaces(): NetworkInterface[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) => {
    const mac = addresses?.[0]?.mac
    return mac === undefined
      ? []
      : [{ name, mac, physical: existsSync(`/sys/class/net/${name}/device`) }]
  })
}

/** The host name with what the API refuses left out. */
export function deviceName(): string {
  return hostname()
    .replace(/[^A-Za-z0-9._-]/g, '')
    .slice(0, 253)
}
