import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type WebSocket, WebSocketServer } from 'ws'
import { LARGEST_MESSAGE_BYTES } from '../api/byte-socket.js'
import { refusal } from '../errors/broker-error.js'
import type { PlainReason } from '../errors/reasons.js'
import type { App } from '../http.js'
import type { OwnSite } from '../users/own-site.js'

/** A viewer or a shell may be silent for hours; a client whose network is gone is noticed within twice this time. */
const PING_EVERY_MS = 15_000
/** Requests that ask for another protocol, with the socket they came on. */
const waiting = new WeakMap<IncomingMessage, { socket: Duplex; head: Buffer }>()
const server = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: LARGEST_MESSAGE_BYTES,
})

/**
 * Lets WebSocket requests take the way of every other request (who may call, schema, handler)
 * before anything is upgraded; a refusal is an ordinary answer. A request to a route that does not
 * upgrade is answered as if it had not asked.
 */
export function acceptUpgrades(app: App): void {
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const response = new ServerResponse(request)
    socket.on('error', () => {})
    response.shouldKeepAlive = false
    response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0])
    response.once('finish', () => {
      socket.end()
    })
    waiting.set(request, { socket, head })
    app.routing(request, response)
  })
}

/**
 * Throws `upgrade_required` for a plain request, `forbidden` for one that a page of another site
 * makes: browsers send cookies with such, and ask nobody.
 */
export function requireUpgrade(
  request: FastifyRequest,
  site: OwnSite,
  otherwise: PlainReason,
): void {
  if (!waiting.has(request.raw) || request.headers.upgrade?.toLowerCase() !== 'websocket')
    throw refusal(otherwise)
  const { origin } = request.headers
  if (origin !== undefined && !site.isOrigin(origin, request)) throw refusal('socket_of_other_site')
}

/**
 * Upgrades; what was thrown before is an ordinary answer. Gives null when the request was no good
 * WebSocket handshake, which is then answered already.
 */
export async function upgrade(
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<WebSocket | null> {
  const found = waiting.get(request.raw)
  if (!found) throw refusal('websocket_needed')
  reply.hijack()
  reply.raw.detachSocket(found.socket as Parameters<ServerResponse['detachSocket']>[0])
  return await new Promise((resolve) => {
    const refused = (): void => {
      resolve(null)
    }
    found.socket.once('close', refused)
    server.handleUpgrade(request.raw, found.socket, found.head, (webSocket) => {
      found.socket.off('close', refused)
      resolve(webSocket)
    })
  })
}

/** Pings, and ends a socket that did not answer the ping before. Gives what stops it. */
export function keepAlive(webSocket: WebSocket): () => void {
  let answered = true
  webSocket.on('pong', () => {
    answered = true
  })
  const timer = setInterval(() => {
    if (!answered && !webSocket.isPaused) webSocket.terminate()
    answered = false
    webSocket.ping()
  }, PING_EVERY_MS)
  return () => {
    clearInterval(timer)
  }
}
