import { existsSync, readFileSync } from 'node:fs'
import type { Authority } from './certificates/authority.js'
import { BrokerError } from './errors.js'
import type { App } from './http.js'
import type { Metrics } from './metrics.js'
import type { Store } from './store/open.js'

export interface OperationsDeps {
  readonly store: Store
  readonly metrics: Metrics
  readonly authority: Authority
  readonly publicKey: string
}

const INSTALLER = [
  '../dist/hypervisor-scripts/hypervisor-installer.sh',
  '../hypervisor-scripts/hypervisor-installer.sh',
].map((path) => new URL(path, import.meta.url))

/** What an operator's tools ask, outside of the API: health, metrics, and the public material that a new hypervisor needs. */
export function operationsRoutes(deps: OperationsDeps) {
  const { metrics } = deps
  return (app: App): void => {
    app.get('/healthz', { schema: { hide: true } }, () => ({ status: 'ok' }))
    app.get('/readyz', { schema: { hide: true } }, async () => {
      await deps.store.selectFrom('setting').select('name').limit(1).execute()
      return { status: 'ready' }
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
    app.get('/install/hypervisor.sh', { schema: { hide: true } }, async (_request, reply) => {
      const file = INSTALLER.find((url) => existsSync(url))
      if (!file)
        throw new BrokerError('internal', 'The installer was not built: run "npm run build".')
      return await reply
        .type('text/x-shellscript')
        .send(readFileSync(file, 'utf8').replaceAll('@PUBLIC_KEY@', deps.publicKey))
    })
  }
}
