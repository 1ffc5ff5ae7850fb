import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import helmet from 'helmet'

/** Made once: it is asked for with every answer. */
const setHeaders = helmet({
  strictTransportSecurity: { includeSubDomains: false }, // other hosts of the domain are not ours to bind
  contentSecurityPolicy: { directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
})

/**
 * Sets them when an answer is sent, and not before: ten thousand thin clients wait for theirs.
 * Refusals have them, too.
 */
export function secureAnswers(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    setSecurityHeaders(request, reply)
    return payload
  })
}

/** Begins an answer of server-sent events, which the handler then writes to `reply.raw` and ends. */
export function beginEvents(request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack()
  setSecurityHeaders(request, reply)
  reply.raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  reply.raw.flushHeaders() // there may be nothing to tell for a while
}

function setSecurityHeaders(request: FastifyRequest, reply: FastifyReply): void {
  setHeaders(request.raw, reply.raw, (fault) => {
    if (fault !== undefined) throw fault as Error
  })
}
