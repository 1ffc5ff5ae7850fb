import ipaddr from 'ipaddr.js'
import { type ClientEntry, normalMac } from './clients-entry.js'
import type { ClientsFile } from './clients-xml.js'

export interface Seeker {
  readonly macs: readonly string[]
  readonly address: string
  readonly hostname: string
}

/** Entries by what they name; those with a network alone must be tried one by one. */
interface Index {
  readonly named: ReadonlyMap<string, readonly ClientEntry[]>
  readonly networks: readonly ClientEntry[]
}

const indexes = new WeakMap<ClientsFile, Index>()

/**
 * The entry that means this device: by MAC, else IP address, else host name, else the longest
 * network, else the default.
 */
export function entryFor(file: ClientsFile, seeker: Seeker): ClientEntry | null {
  const macs = seeker.macs.map(normalMac)
  const address = ipaddr.isValid(seeker.address) ? ipaddr.process(seeker.address) : null
  const hostname = seeker.hostname.toLowerCase()
  const { named, networks } = indexOf(file)
  const near = [...macs, address?.toString() ?? '', hostname].flatMap((key) => named.get(key) ?? [])
  const meant = [...near, ...networks].filter((entry) => speaksOf(entry, macs, address, hostname))
  return meant.sort((a, b) => rank(b) - rank(a))[0] ?? file.fallback
}

/** They give a device the same, shown in the same way. */
export function sameEntry(one: ClientEntry | null, other: ClientEntry | null): boolean {
  if (one === other) return true
  if (one === null || other === null) return false
  return JSON.stringify([one.targets, one.viewer]) === JSON.stringify([other.targets, other.viewer])
}

function indexOf(file: ClientsFile): Index {
  const known = indexes.get(file)
  if (known) return known
  const named = new Map<string, ClientEntry[]>()
  for (const entry of file.clients) {
    const key = entry.mac ?? entry.ip ?? entry.hostname
    if (key === null) continue
    const known = named.get(key)
    if (known) known.push(entry)
    else named.set(key, [entry])
  }
  const index = {
    named,
    networks: file.clients.filter(
      (entry) => entry.mac === null && entry.ip === null && entry.hostname === null,
    ),
  }
  indexes.set(file, index)
  return index
}

/** An entry with several attributes means only a device that has all of them. */
function speaksOf(
  entry: ClientEntry,
  macs: readonly string[],
  address: ipaddr.IPv4 | ipaddr.IPv6 | null,
  hostname: string,
): boolean {
  if (entry.mac !== null && !macs.includes(entry.mac)) return false
  if (entry.ip !== null && entry.ip !== address?.toString()) return false
  if (entry.hostname !== null && entry.hostname !== hostname) return false
  if (entry.cidr === null) return true
  return (
    address !== null &&
    address.kind() === entry.cidr[0].kind() &&
    (address as ipaddr.IPv4).match(entry.cidr as [ipaddr.IPv4, number])
  )
}

function rank(entry: ClientEntry): number {
  return (
    (entry.mac === null ? 0 : 8_000) +
    (entry.ip === null ? 0 : 4_000) +
    (entry.hostname === null ? 0 : 2_000) +
    (entry.cidr === null ? 0 : entry.cidr[1])
  )
}
