import ipaddr from 'ipaddr.js'
import { type ClientEntry, type ClientsFile, normalMac } from './clients-xml.js'

export interface Seeker { readonly macs: readonly string[], readonly address: string, readonly hostname: string }

/** The entry that means this device: by MAC, else IP address, else host name, else the longest network, else the default. */
export function entryFor (file: ClientsFile, seeker: Seeker): ClientEntry | null {
  const macs = seeker.macs.map(normalMac)
  const address = ipaddr.isValid(seeker.address) ? ipaddr.process(seeker.address) : null
  const named = file.clients.filter((entry) => speaksOf(entry, macs, address, seeker.hostname.toLowerCase()))
  return named.sort((a, b) => rank(b) - rank(a))[0] ?? file.fallback
}

/** An entry with several attributes means only a device that has all of them. */
function speaksOf (entry: ClientEntry, macs: readonly string[], address: ipaddr.IPv4 | ipaddr.IPv6 | null, hostname: string): boolean {
  if (entry.mac !== null && !macs.includes(entry.mac)) return false
  if (entry.ip !== null && entry.ip !== address?.toString()) return false
  if (entry.hostname !== null && entry.hostname !== hostname) return false
  if (entry.cidr === null) return true
  return address !== null && address.kind() === entry.cidr[0].kind() && (address as ipaddr.IPv4).match(entry.cidr as [ipaddr.IPv4, number])
}

function rank (entry: ClientEntry): number {
  return (entry.mac === null ? 0 : 8_000) + (entry.ip === null ? 0 : 4_000) + (entry.hostname === null ? 0 : 2_000) + (entry.cidr === null ? 0 : entry.cidr[1])
}
