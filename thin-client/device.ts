import { existsSync, readdirSync, readFileSync } from 'node:fs'
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
 * The MACs that name this device, sorted by interface: those of physical interfaces; where there
 * are none (a container, a network namespace), those of all that are not obviously made by
 * software; where there are none of these either, whatever there is.
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

const SYSFS = '/sys/class/net'

/**
 * The interfaces of the network namespace the agent runs in. A physical one has a `device` link in
 * sysfs (sysfs-class-net), and counts also while it has no address: the card of a laptop that is at
 * a dock tells it from the next laptop at that dock.
 */
export function readInterfaces(): NetworkInterface[] {
  const withAddress = Object.entries(networkInterfaces()).flatMap(([name, addresses]) => {
    const mac = addresses?.[0]?.mac
    return mac === undefined ? [] : [{ name, mac, physical: isPhysical(name) }]
  })
  const idle = cardNames()
    .filter((name) => isPhysical(name) && !withAddress.some((one) => one.name === name))
    .flatMap((name) => {
      const mac = macInSysfs(name)
      return mac === undefined ? [] : [{ name, mac, physical: true }]
    })
  return withAddress.some(({ name }) => name !== 'lo') ? [...withAddress, ...idle] : []
}

function isPhysical(name: string): boolean {
  return existsSync(`${SYSFS}/${name}/device`)
}

function cardNames(): string[] {
  try {
    return readdirSync(SYSFS)
  } catch {
    return []
  }
}

/** Not every card has an Ethernet address (`address` of a mobile network card is empty or of another length). */
function macInSysfs(name: string): string | undefined {
  try {
    return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.exec(
      readFileSync(`${SYSFS}/${name}/address`, 'utf8').trim(),
    )?.[0]
  } catch {
    return undefined
  }
}

/** The host name with what the API refuses left out. */
export function deviceName(): string {
  return hostname()
    .replace(/[^A-Za-z0-9._-]/g, '')
    .slice(0, 253)
}
