import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

export type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

/**
 * Whoever has one IPv6 address has its /64, so that counts as one. An IPv4 address that is written
 * as IPv6 is the same one.
 */
export function subnetOf(address: string): string {
  return prefixOf(address, 4)
}

/** The network of a whole site: an IPv6 /48 (RFC 6177); of IPv4 the address itself. */
export function siteOf(address: string): string {
  return prefixOf(address, 3)
}

function prefixOf(address: string, parts: number): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  return parsed.kind() === 'ipv6'
    ? (parsed as ipaddr.IPv6).parts.slice(0, parts).join(':')
    : parsed.toString()
}

/**
 * Reads an address or a network in CIDR form; null for anything else. Short forms such as 10/8 are
 * refused: they are not read alike everywhere.
 */
export function networkOf(text: string): Network | null {
  const [, base = '', bits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  if (isIP(base) === 0) return null
  const parsed = ipaddr.parse(base)
  const length = parsed.kind() === 'ipv4' ? 32 : 128
  const prefix = bits === undefined ? length : Number(bits)
  if (prefix > length) return null
  const mapped = parsed.kind() === 'ipv6' && (parsed as ipaddr.IPv6).isIPv4MappedAddress()
  return mapped && prefix >= 96
    ? [(parsed as ipaddr.IPv6).toIPv4Address(), prefix - 96]
    : [parsed, prefix]
}

/** Those of a list that are addresses or networks; that all are, was checked with the settings. */
export function networksOf(texts: readonly string[]): Network[] {
  return texts.map(networkOf).filter((network): network is Network => network !== null)
}

export function inNetworks(networks: readonly Network[], address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return networks.some(
    ([network, bits]) =>
      network.kind() === parsed.kind() && (parsed as ipaddr.IPv4).match(network, bits),
  )
}
