import type { FastifyInstance } from 'fastify'

/** To be called after everything that sets an `etag`. */
export function headAnswers(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    // What a browser keeps on its disk outlives the login. With an etag it may keep it, and asks each time.
    if (request.url.startsWith('/api/') && reply.getHeader('cache-control') === undefined)
      void reply.header(
        'cache-control',
        reply.getHeader('etag') === undefined ? 'no-store' : 'private, no-cache',
      )
    // A refusal comes before the body; what still comes of that is not waited for.
    const { headers, complete } = request.raw
    const hasBody =
      headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
    if (reply.statusCode >= 400 && hasBody && !complete) void reply.header('connection', 'close')
    return payload
  })
}
