import type { IncomingHttpHeaders } from 'node:http'
import type { Logger } from 'pino'
import { inNetworks, networksOf, subnetOf } from '../addresses.js'
import type { ProxySettings } from '../login-settings.js'
import { Seldom } from '../seldom.js'
import { type Arrival, rolesOfGroups } from './arrivals.js'

const TELL_EVERY_MS = 3_600_000

/**
 * The name that a proxy in front of the broker has made sure of. Its header counts from the proxy's
 * own addresses only.
 */
export class TrustedProxy {
  readonly #told = new Seldom(TELL_EVERY_MS)

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
      if (this.#told.pass(subnetOf(peer)) !== null)
        this.log.warn(
          { address: peer, header: settings.header },
          'a header that only the trusted proxy may send was ignored',
        )
      return null
    }
    const groups =
      settings['groups-header'] === '' ? '' : headers[settings['groups-header'].toLowerCase()]
    const missing =
      groups === undefined ? `the proxy sent no header "${settings['groups-header']}"` : null
    if (missing !== null && this.#told.pass('groups') !== null)
      this.log.warn(
        { why: missing },
        'the trusted proxy did not say the groups of a person; no role is taken away',
      )
    return {
      source: 'proxy',
      name: decoded(String(name)),
      subject: null,
      displayName: '',
      roles: rolesOfGroups(
        String(groups ?? '')
          .split(',')
          .map((group) => decoded(group.trim())),
        settings.roles,
      ),
      missing,
    }
  }
}

/** Node reads header bytes as Latin-1; proxies send UTF-8. */
function decoded(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8')
}

/** Whether an address is one of these, or in one of these networks. IPv4 in IPv6 form is the same address. */
export function isOneOf(address: string, list: readonly string[]): boolean {
  return inNetworks(networksOf(list), address)
}
