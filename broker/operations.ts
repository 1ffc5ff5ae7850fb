import { existsSync, readFileSync } from 'node:fs'
import type { Authority } from './certificates/authority.js'
import { refusal } from './errors/broker-error.js'
import type { App } from './http.js'
import { KeptText } from './kept-text.js'
import type { Metrics } from './metrics.js'
import type { ReadinessProbe } from './readiness.js'

export interface OperationsDeps {
  readonly readiness: ReadinessProbe
  readonly metrics: Metrics
  readonly authority: Authority
  readonly publicKey: string
}

const INSTALLER = [
  '../dist/hypervisor-scripts/hypervisor-installer.sh',
  '../hypervisor-scripts/hypervisor-installer.sh',
].map((path) => new URL(path, import.meta.url))
/** A hundred hosts that are set up at once may stand behind one address. */
const INSTALLER_RATE = { rateLimit: { max: 300, timeWindow: 60_000 } }

/**
 * What an operator's tools ask, outside of the API: health, metrics, and the public material that a
 * new hypervisor needs.
 */
export function operationsRoutes(deps: OperationsDeps) {
  const { metrics } = deps
  return (app: App): void => {
    app.get('/healthz', { schema: { hide: true } }, () => ({ status: 'ok' }))
    app.get('/readyz', { schema: { hide: true } }, async (_request, reply) => {
      const { status, reasons, isWritable } = await deps.readiness.look()
      return await reply.code(isWritable ? 200 : 503).send({ status, reasons })
    })
    app.get(
      '/metrics',
      { schema: { hide: true } },
      async (_request, reply) => await reply.type(metrics.contentType).send(await metrics.text()),
    )
    app.get(
      '/ca.pem',
      { schema: { hide: true } },
      async (_request, reply) =>
        await reply.type('application/x-pem-file').send(deps.authority.certificate),
    )
    const installer = new KeptText('text/x-shellscript', () => installerFor(deps.publicKey))
    app.get(
      '/install/hypervisor.sh',
      { schema: { hide: true }, config: INSTALLER_RATE },
      async (request, reply) => await installer.send(request, reply),
    )
  }
}

function installerFor(publicKey: string): string {
  const file = INSTALLER.find((url) => existsSync(url))
  if (!file) throw refusal('installer_not_built')
  return readFileSync(file, 'utf8').replaceAll('@PUBLIC_KEY@', publicKey)
}
