import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Logger } from 'pino'
import { inNetworks, type Network, subnetOf } from './addresses.js'
import { Seldom } from './seldom.js'

/** What a reverse proxy says of the request that it passes on. */
const HEADERS = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
] as const
const HTTPS_PORT = 443
const TELL_EVERY_MS = 24 * 3_600_000

/**
 * The reverse proxies of the settings. What they say of a request counts; what anybody else says is
 * removed before anything reads it, so that the framework's own reading of these headers
 * (https://fastify.dev/docs/latest/Reference/Server/#trustproxy) finds one address, one name and
 * one protocol, or none.
 */
export class ReverseProxies {
  readonly #told = new Seldom(TELL_EVERY_MS)

  constructor(
    readonly networks: readonly Network[],
    readonly log: Logger,
  ) {}

  readonly trusts = (address: string | undefined): boolean =>
    address !== undefined && inNetworks(this.networks, address)

  /** To be called with each request's headers and the address of its connection, before anything else. */
  settle(headers: IncomingHttpHeaders, peer: string | undefined): void {
    const said = taken(headers)
    if (!this.trusts(peer)) {
      if (said['x-forwarded-for'] !== undefined) this.#tell(peer ?? '')
      return
    }
    // Without a client's address the request is the proxy's own, such as a question whether the broker is well.
    headers['x-forwarded-for'] = this.#client(said['x-forwarded-for'] ?? '') ?? peer
    const { host: own = '' } = headers
    const host = hostOf(lastOf(said['x-forwarded-host']) || own, lastOf(said['x-forwarded-port']))
    if (host !== '') headers['x-forwarded-host'] = host
    const protocol = lastOf(said['x-forwarded-proto']).toLowerCase()
    headers['x-forwarded-proto'] = ['http', 'ws'].includes(protocol) ? 'http' : 'https'
  }

  /**
   * Each proxy writes the address that it sees behind those that it was told, so the last one that
   * is no proxy's is the client's; what stands before it is the client's own word. What is no
   * address ends the search: of the rest nobody knows who wrote it.
   */
  #client(forwarded: string): string | null {
    let client: string | null = null
    for (const part of forwarded.split(',').reverse()) {
      const address = addressOf(part)
      if (address === null) return client
      client = address
      if (!this.trusts(address)) return client
    }
    return client
  }

  #tell(peer: string): void {
    if (this.#told.pass(subnetOf(peer)) !== null)
      this.log.info(
        { address: peer },
        'x-forwarded-for was ignored: its sender is not one of trusted-proxies',
      )
  }
}

/** What these headers say, each as one line; from here on the request has none of them. */
function taken(headers: IncomingHttpHeaders): Partial<Record<(typeof HEADERS)[number], string>> {
  const said: Partial<Record<(typeof HEADERS)[number], string>> = {}
  for (const name of HEADERS) {
    if (headers[name] === undefined) continue
    said[name] = lineOf(headers[name])
    Reflect.deleteProperty(headers, name)
  }
  return said
}

function lineOf(value: string | string[] | undefined): string {
  return [value ?? ''].flat().join(',')
}

function lastOf(line = ''): string {
  return line.split(',').at(-1)?.trim() ?? ''
}

/**
 * Some proxies add the port: 192.0.2.1:4711, [2001:db8::1]:4711. An IPv4 address that is written as
 * IPv6 is the same one.
 */
function addressOf(part: string): string | null {
  const [, bracketed, bare] = /^\s*"?(?:\[([^\]]+)\](?::\d+)?|([^\]["]*?))"?\s*$/.exec(part) ?? []
  const text = bracketed ?? (bare ?? '').replace(/^([\d.]+):\d+$/, '$1')
  return isIP(text) === 0 ? null : ipaddr.process(text).toString()
}

/** A name without a port is that of HTTPS's own, unless the proxy says another. */
function hostOf(host: string, port: string): string {
  const hasPort = /:\d+$/.test(host)
  return host === '' || hasPort || !/^\d{1,5}$/.test(port) || Number(port) === HTTPS_PORT
    ? host
    : `${host}:${port}`
}
