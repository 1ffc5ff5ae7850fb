import { existsSync, readFileSync } from 'node:fs'
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Authority } from './certificates/authority.js'
import { BrokerError } from './errors.js'
import type { App } from './http.js'
import type { Hypervisors } from './hypervisors/service.js'
import type { Store } from './store/open.js'

export interface OperationsDeps { readonly store: Store, readonly hypervisors: Hypervisors, readonly authority: Authority, readonly publicKey: string }

const INSTALLER = ['../dist/hypervisor-scripts/hypervisor-installer.sh', '../hypervisor-scripts/hypervisor-installer.sh'].map((path) => new URL(path, import.meta.url))

/** What an operator's tools ask, outside of the API: health, metrics, and the public material that a new hypervisor needs. */
export function operationsRoutes (deps: OperationsDeps) {
  const metrics = metricsOf(deps)
  return (app: App): void => {
    app.get('/healthz', { schema: { hide: true } }, () => ({ status: 'ok' }))
    app.get('/readyz', { schema: { hide: true } }, async () => {
      await deps.store.selectFrom('setting').select('name').limit(1).execute()
      return { status: 'ready' }
    })
    app.get('/metrics', { schema: { hide: true } }, async (_request, reply) => await reply.type(metrics.contentType).send(await metrics.metrics()))
    app.get('/ca.pem', { schema: { hide: true } }, async (_request, reply) => await reply.type('application/x-pem-file').send(deps.authority.certificate))
    app.get('/install/hypervisor.sh', { schema: { hide: true } }, async (_request, reply) => {
      const file = INSTALLER.find((url) => existsSync(url))
      if (!file) throw new BrokerError('internal', 'The installer was not built: run "npm run build".')
      return await reply.type('text/x-shellscript').send(readFileSync(file, 'utf8').replaceAll('@PUBLIC_KEY@', deps.publicKey))
    })
  }
}

function metricsOf ({ store, hypervisors }: OperationsDeps): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'berth_' })
  gauge(registry, 'berth_machines', 'Machines by type and power', ['type', 'power'], async (set) => {
    const rows = await store.selectFrom('machine').select(['type', 'power', (eb) => eb.fn.countAll<number>().as('count')]).groupBy(['type', 'power']).execute()
    for (const { type, power, count } of rows) set({ type, power }, count)
  })
  gauge(registry, 'berth_jobs', 'Jobs that have not ended, by kind and state', ['kind', 'state'], async (set) => {
    const rows = await store.selectFrom('job').select(['kind', 'state', (eb) => eb.fn.countAll<number>().as('count')]).where('finished_at', 'is', null).groupBy(['kind', 'state']).execute()
    for (const { kind, state, count } of rows) set({ kind, state }, count)
  })
  gauge(registry, 'berth_hypervisor_up', '1 when the line to the hypervisor is up', ['hypervisor'], async (set) => {
    for (const { name, state } of await hypervisors.list()) set({ hypervisor: name }, state === 'up' ? 1 : 0)
  })
  gauge(registry, 'berth_hypervisor_images_free_bytes', 'Free space of its image store', ['hypervisor'], async (set) => {
    for (const { name, capacity } of await hypervisors.list()) if (capacity) set({ hypervisor: name }, capacity.imagesFreeBytes)
  })
  return registry
}

function gauge (registry: Registry, name: string, help: string, labelNames: string[], collect: (set: (labels: Record<string, string>, value: number) => void) => Promise<void>): void {
  const made: Gauge = new Gauge({
    name, help, labelNames, registers: [registry],
    collect: async () => {
      made.reset()
      await collect((labels, value) => { made.set(labels, value) })
    },
  })
}
