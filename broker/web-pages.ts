import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import { Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { strictObject } from './api/common.js'
import type { App } from './http.js'

/** Where the build puts the pages, as seen from the sources and from dist/broker. */
const FOLDERS = ['../dist/pages', '../pages'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
)
/**
 * Scripts, styles and connections of this broker only; no inline script or style, no other host.
 * `data:`: cursors that the guest draws.
 */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
  "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action " +
  "'self'; frame-ancestors 'none'"
const YEAR_MS = 365 * 86_400_000
const AssetParams = strictObject({
  file: Type.String({ pattern: '^[A-Za-z0-9_-][A-Za-z0-9._-]*$', maxLength: 200 }),
})

/**
 * Serves the pages that are built from web/. Every address that is no file and not of the API is a
 * page of theirs, so that it can be sent and reloaded. Gives the handler that answers such an
 * address, or null when the request is not for a page.
 */
export async function serveWebPages(
  app: App,
): Promise<(request: FastifyRequest, reply: FastifyReply) => FastifyReply | null> {
  const root = FOLDERS.find((folder) => existsSync(`${folder}/index.html`))
  if (root === undefined) return () => null // run from sources that were never built
  const page = readFileSync(`${root}/index.html`, 'utf8')
  await app.register(fastifyStatic as never, {
    root: `${root}/assets`,
    serve: false,
    preCompressed: true,
  })
  // Names of assets hold a hash of their content.
  app.get(
    '/assets/:file',
    { schema: { hide: true, params: AssetParams } },
    async (request, reply) =>
      await reply.sendFile(request.params.file, { immutable: true, maxAge: YEAR_MS }),
  )
  return (request, reply) => {
    const wanted =
      (request.method === 'GET' || request.method === 'HEAD') &&
      !/^\/(api|assets)(\/|$)/.test(request.url) &&
      (request.headers.accept ?? '').includes('text/html')
    return wanted
      ? reply
          .code(200)
          .header('content-security-policy', POLICY)
          .header('cache-control', 'no-cache')
          .type('text/html; charset=utf-8')
          .send(page)
      : null
  }
}
