import type { FastifyInstance } from 'fastify'

export const BODY_BYTES = 16 * 1024
/** A text of 1 MiB, as a JSON string: quotes and line ends take two bytes. */
const DOCUMENT_BYTES = 2 * 1024 * 1024
/** The XML of a domain has at most 256 KiB. */
const DOMAIN_BYTES = 640 * 1024

/** Routes whose body may be larger than `BODY_BYTES`. All of them check who asks before they read it. */
const LARGER: Readonly<Record<string, number>> = {
  'PUT /api/v1/clients-xml': DOCUMENT_BYTES,
  'POST /api/v1/clients-xml/check': DOCUMENT_BYTES,
  'POST /api/v1/apply': DOCUMENT_BYTES,
  'POST /api/v1/machines': DOMAIN_BYTES,
  'PATCH /api/v1/machines/:name': DOMAIN_BYTES,
}

/** To be called before any route is added. Throws at the end when a route of the table does not exist. */
export function boundBodies(app: FastifyInstance): void {
  const missing = new Set(Object.keys(LARGER))
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) {
      const bytes = LARGER[`${method} ${route.url}`]
      if (bytes === undefined) continue
      route.bodyLimit = bytes
      missing.delete(`${method} ${route.url}`)
    }
  })
  app.addHook('onReady', async () => {
    if (missing.size > 0)
      throw new Error(`broker/bodies.ts names routes that do not exist: ${[...missing].join()}.`)
  })
}
