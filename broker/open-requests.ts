import type { FastifyInstance } from 'fastify'
import { subnetOf } from './addresses.js'
import { refusal } from './errors/broker-error.js'
import { type ConnectionBounds, mostFor } from './connections.js'
import { throughProxy } from './http.js'

/**
 * Connections of a reverse proxy are those of everybody behind it, and are not counted as one
 * client's; so the requests that are open through it are, by the address in front of it. To be
 * called after what settles that address.
 */
export function boundRequests(app: FastifyInstance, bounds: ConnectionBounds): void {
  const open = new Map<string, number>()
  app.addHook('onRequest', async (request, reply) => {
    if (!throughProxy(request)) return
    const subnet = subnetOf(request.ip)
    const count = open.get(subnet) ?? 0
    if (count >= mostFor(bounds, request.ip))
      throw refusal('too_many_open_requests', { address: request.ip })
    open.set(subnet, count + 1)
    const ended = (): void => {
      const left = (open.get(subnet) ?? 1) - 1
      if (left <= 0) open.delete(subnet)
      else open.set(subnet, left)
    }
    // A request that becomes another protocol lasts as long as its connection.
    if (request.headers.upgrade === undefined) reply.raw.once('close', ended)
    else request.raw.socket.once('close', ended)
  })
}
