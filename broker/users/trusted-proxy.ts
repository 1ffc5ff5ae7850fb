import type { IncomingHttpHeaders } from 'node:http'
import ipaddr from 'ipaddr.js'
import type { Logger } from 'pino'
import type { ProxySettings } from '../login-settings.js'
import { type Arrival, rolesOfGroups } from './arrivals.js'

/** A proxy is told of a stranger once for each address, and not for ever more of them. */
const MOST_TOLD = 1_000

/** The name that a proxy in front of the broker has made sure of. Its header counts from the proxy's own addresses only. */
export class TrustedProxy {
  readonly #told = new Set<string>()

  constructor(
    readonly settings: ProxySettings | null,
    readonly log: Logger,
  ) {}

  /** Who it is, or null. `peer` is the address of the connection itself, which nobody can put into a header. */
  person(headers: IncomingHttpHeaders, peer: string): Arrival | null {
    const { settings } = this
    if (!settings) return null
    const name = headers[settings.header.toLowerCase()]
    if (name === undefined || name === '') return null
    if (!isOneOf(peer, settings.addresses)) {
      if (!this.#told.has(peer) && this.#told.size < MOST_TOLD) {
        this.#told.add(peer)
        this.log.warn(
          { address: peer, header: settings.header },
          'a header that only the trusted proxy may send was ignored',
        )
      }
      return null
    }
    const groups =
      settings['groups-header'] === ''
        ? ''
        : (headers[settings['groups-header'].toLowerCase()] ?? '')
    return {
      source: 'proxy',
      name: decoded(String(name)),
      subject: null,
      displayName: '',
      roles: rolesOfGroups(
        String(groups)
          .split(',')
          .map((group) => decoded(group.trim())),
        settings.roles,
      ),
    }
  }

  /** The address of the person in front of the proxy: what the proxy itself has put at the end of X-Forwarded-For. */
  address(headers: IncomingHttpHeaders, peer: string): string {
    const last =
      String(headers['x-forwarded-for'] ?? '')
        .split(',')
        .at(-1)
        ?.trim() ?? ''
    return ipaddr.isValid(last) ? last : peer
  }
}

/** Node reads header bytes as Latin-1; proxies send UTF-8. */
function decoded(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8')
}

/** Whether an address is one of these, or in one of these networks. IPv4 in IPv6 form is the same address. */
export function isOneOf(address: string, list: readonly string[]): boolean {
  if (!ipaddr.isValid(address)) return false
  const mine = ipaddr.process(address)
  return list.some((one) => {
    const [network, bits] = one.includes('/')
      ? ipaddr.parseCIDR(one)
      : ([ipaddr.process(one), ipaddr.process(one).kind() === 'ipv4' ? 32 : 128] as const)
    return network.kind() === mine.kind() && mine.match(network, bits)
  })
}
