import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { subnetOf } from './addresses.js'
import { Seldom } from './seldom.js'

/** Below LimitNOFILE of the unit (65,536): lines to hypervisors, files and screens need descriptors, too. */
const MOST_CONNECTIONS = 50_000
/** Behind the router of a branch office there may be all its thin clients, each with an open question. */
const TIMES_FOR_TRUSTED = 10
const TELL_EVERY_MS = 60_000

export interface ConnectionBounds {
  /** Of one address, or of one IPv6 /64. */
  readonly mostOfAddress: number
  /** Of all; 50,000 unless said otherwise. */
  readonly mostInAll?: number
  /** Addresses from which ten times as many may come. */
  readonly isTrusted: (address: string) => boolean
  /** A reverse proxy has the connections of everybody behind it: only what may be open in all bounds them. */
  readonly isProxy?: (address: string | undefined) => boolean
  readonly log: Logger
}

/** How many connections, or requests through a proxy, an address may have open. */
export function mostFor({ mostOfAddress, isTrusted }: ConnectionBounds, address: string): number {
  return mostOfAddress * (isTrusted(address) ? TIMES_FOR_TRUSTED : 1)
}

/**
 * Closes a connection at once when its address, or the broker, has too many: before TLS, which
 * costs the most. Gives what closes all of them for good: a server does not count those that are
 * silent since they were opened, and would wait for them when it stops.
 */
export function boundConnections(server: Server, bounds: ConnectionBounds): () => void {
  const open = new Map<string, number>()
  const sockets = new Set<Socket>()
  const { mostInAll = MOST_CONNECTIONS } = bounds
  let stopped = false
  const seldom = new Seldom(TELL_EVERY_MS)
  server.on('connection', (socket: Socket) => {
    if (stopped) return void socket.destroy()
    const address = socket.remoteAddress ?? ''
    const subnet = subnetOf(address)
    const count = open.get(subnet) ?? 0
    const most = bounds.isProxy?.(address) === true ? mostInAll : mostFor(bounds, address)
    if (count >= most || sockets.size >= mostInAll) {
      socket.destroy()
      const held = seldom.pass(subnet)
      if (held !== null)
        bounds.log.warn(
          { address, open: count, most, inAll: sockets.size, alsoRefused: held },
          'a connection was refused: there are too many of its address, or in all',
        )
      return
    }
    open.set(subnet, count + 1)
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      const left = (open.get(subnet) ?? 1) - 1
      if (left === 0) open.delete(subnet)
      else open.set(subnet, left)
    })
  })
  return () => {
    stopped = true
    for (const socket of sockets) socket.destroy()
  }
}
