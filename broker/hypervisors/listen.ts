import { isIP } from 'node:net'
import type { HypervisorRow } from '../store/tables.js'

/** One form for an address however it was written; a name as it is. */
export function canonicalAddress(address: string): string {
  const plain = address.replace(/^\[|\]$/g, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
  return isIP(plain) === 6
    ? new URL(`http://[${plain}]`).hostname.slice(1, -1)
    : plain.toLowerCase()
}

export function sameAddress(one: string, other: string): boolean {
  return canonicalAddress(one) === canonicalAddress(other)
}

export function isLocal(address: string): boolean {
  return /^(127\.|::1$)/.test(canonicalAddress(address)) || address === 'localhost'
}

/**
 * Where displays listen when nobody says it; pure. On the display address where that is one of the
 * host's, as QEMU can listen on no other; else on all of the family in which viewers come.
 * `resolved`: what a name leads to, or null when that is not known; `own`: the addresses of the
 * host's cards, or null likewise.
 */
export function listenFor(
  displayAddress: string,
  resolved: readonly string[] | null,
  own: readonly string[] | null,
): string {
  const address = canonicalAddress(displayAddress)
  if (address === 'localhost') return '127.0.0.1'
  return isIP(address) === 0 ? listenForName(resolved, own) : listenForAddress(address, own)
}

function listenForAddress(address: string, own: readonly string[] | null): string {
  if (isLocal(address) || own?.some((one) => sameAddress(one, address)) === true) return address
  return isIP(address) === 6 ? '::' : '0.0.0.0'
}

function listenForName(resolved: readonly string[] | null, own: readonly string[] | null): string {
  if (resolved !== null && resolved.length > 0 && resolved.every(isLocal))
    return canonicalAddress(resolved[0] ?? '127.0.0.1')
  const families = familiesOf(resolved ?? own ?? [])
  if (!families.has(6)) return '0.0.0.0'
  // A socket on :: takes IPv4 too; a host without IPv6 cannot have one.
  const speaks6 = own === null || familiesOf(own).has(6)
  return families.has(4) && !speaks6 ? '0.0.0.0' : '::'
}

function familiesOf(addresses: readonly string[]): Set<number> {
  return new Set(addresses.map((one) => isIP(canonicalAddress(one))))
}

/** Where displays of this host listen. Until the host has told its addresses, its own words decide. */
export function listenOf(
  row: Pick<HypervisorRow, 'display_address' | 'listen_address' | 'listen_found'>,
): string {
  if (row.listen_address !== 'auto') return canonicalAddress(row.listen_address)
  return row.listen_found ?? listenFor(row.display_address, null, null)
}

/** Whether only the host itself reaches its displays. */
export function isHidden(
  row: Pick<HypervisorRow, 'display_address' | 'listen_address' | 'listen_found'>,
): boolean {
  return isLocal(row.display_address) || isLocal(listenOf(row))
}
