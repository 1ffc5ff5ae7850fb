import type ipaddr from 'ipaddr.js'
import type { ViewerOptions } from '../api/thin-clients.js'

export type Target =
  | { readonly protocol: 'spice'; readonly machine: string }
  | { readonly protocol: 'rdp'; readonly address: string }
  | { readonly protocol: 'horizon'; readonly desktopPool: string }
  | { readonly protocol: 'pool'; readonly pool: string }
  | LoginTarget

/** A person logs in and gets their desktop. `pools`: those that may be chosen; empty: all that they may use. */
export interface LoginTarget {
  readonly protocol: 'login'
  readonly pools: readonly string[]
}

/** One `<client>` or `<default>`: whom it means, what they get (the first target that can be had), how it is shown. */
export interface ClientEntry {
  readonly mac: string | null
  readonly ip: string | null
  readonly cidr: readonly [ipaddr.IPv4 | ipaddr.IPv6, number] | null
  readonly hostname: string | null
  readonly targets: readonly Target[]
  readonly viewer: ViewerOptions
}

/** An entry and where it begins. */
export interface FoundEntry {
  readonly entry: ClientEntry
  readonly offset: number
}

export interface FoundEntries {
  readonly clients: readonly FoundEntry[]
  readonly defaults: readonly FoundEntry[]
}

/** Lower case with colons. */
export function normalMac(mac: string): string {
  return (mac.toLowerCase().match(/[0-9a-f]{2}/g) ?? []).join(':')
}
