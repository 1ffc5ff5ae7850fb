import type {} from '@fastify/cookie'
import type { FastifyRequest } from 'fastify'
import { refusal } from './errors/broker-error.js'
import { requireOwnPage, requireSameSite, SESSION_COOKIE } from './users/browser.js'
import type { Caller } from './users/caller.js'
import type { OwnSite } from './users/own-site.js'
import type { Users } from './users/service.js'
import type { TrustedProxy } from './users/trusted-proxy.js'

/**
 * Who asks: by a token, by a browser's session, or by the word of the trusted proxy. Throws
 * `unauthenticated`, and `forbidden` for forged requests.
 */
export function authentication(
  users: Users,
  proxy: TrustedProxy,
  site: OwnSite,
): (request: FastifyRequest) => Promise<Caller> {
  return async (request) => {
    const [scheme, token] = (request.headers.authorization ?? '').split(' ')
    if (scheme?.toLowerCase() === 'bearer' && token)
      return await users.tokens.authenticate(token, request.ip)
    const person = proxy.person(request.headers, request.raw.socket.remoteAddress ?? '')
    if (person) {
      requireSameSite(request, site)
      return await users.callerOfProxy(person, request.ip)
    }
    const secret = request.cookies[SESSION_COOKIE]
    if (secret === undefined || secret === '') throw refusal('login_needed')
    const caller = await users.deps.sessions.authenticate(secret, request.ip, inBackground(request))
    requireOwnPage(request, secret, site)
    return caller
  }
}

/**
 * A page asks again by itself when it is told of a change; a person who has gone away shall not
 * stay logged in by that.
 */
function inBackground({ headers }: FastifyRequest): boolean {
  return headers['x-berth-background'] !== undefined || headers.accept === 'text/event-stream'
}
