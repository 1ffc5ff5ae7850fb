import type { Access } from '../../../broker/http.js'

/** Every route and who may call it. One that is added to the broker without a line here fails the tests. */
export const ROUTES = [
  ['GET', '/healthz', 'public'],
  ['GET', '/readyz', 'public'],
  ['GET', '/metrics', 'observer'],
  ['GET', '/ca.pem', 'public'],
  ['GET', '/install/hypervisor.sh', 'public'],
  ['GET', '/api/v1/openapi.json', 'public'],
  ['POST', '/api/v1/login', 'public'],
  ['GET', '/api/v1/whoami', 'observer'],
  ['POST', '/api/v1/password', 'observer'],
  ['GET', '/api/v1/tokens', 'observer'],
  ['POST', '/api/v1/tokens', 'observer'],
  ['DELETE', '/api/v1/tokens/:name', 'observer'],
  ['GET', '/api/v1/events', 'observer'],
  ['GET', '/api/v1/hypervisors', 'observer'],
  ['POST', '/api/v1/hypervisors', 'admin'],
  ['POST', '/api/v1/hypervisors/scan', 'admin'],
  ['GET', '/api/v1/hypervisors/:name', 'observer'],
  ['PATCH', '/api/v1/hypervisors/:name', 'admin'],
  ['DELETE', '/api/v1/hypervisors/:name', 'admin'],
  ['GET', '/api/v1/hypervisors/:name/install-line', 'observer'],
  ['GET', '/api/v1/hypervisors/:name/host-key', 'admin'],
  ['POST', '/api/v1/hypervisors/:name/trust', 'admin'],
  ['PUT', '/api/v1/hypervisors/:name/maintenance', 'admin'],
  ['GET', '/api/v1/hypervisors/:name/domains', 'observer'],
  ['GET', '/api/v1/machines', 'observer'],
  ['POST', '/api/v1/machines', 'admin'],
  ['POST', '/api/v1/machines/adopt', 'admin'],
  ['GET', '/api/v1/machines/:name', 'observer'],
  ['PATCH', '/api/v1/machines/:name', 'admin'],
  ['DELETE', '/api/v1/machines/:name', 'admin'],
  ['GET', '/api/v1/machines/:name/xml', 'observer'],
  ['POST', '/api/v1/machines/:name/power', 'admin'],
  ['PUT', '/api/v1/machines/:name/maintenance', 'admin'],
  ['PUT', '/api/v1/machines/:name/discard-changes', 'admin'],
  ['POST', '/api/v1/machines/:name/copy', 'admin'],
  ['POST', '/api/v1/machines/:name/populate', 'admin'],
  ['GET', '/api/v1/machines/:name/generations', 'observer'],
  ['POST', '/api/v1/machines/:name/import', 'admin'],
  ['POST', '/api/v1/machines/:name/console', 'admin'],
  ['GET', '/api/v1/machines/:name/paths', 'observer'],
  ['GET', '/api/v1/machines/:name/port-forward', 'admin'],
  ['GET', '/api/v1/sessions', 'observer'],
  ['GET', '/api/v1/jobs', 'observer'],
  ['GET', '/api/v1/jobs/:id', 'observer'],
  ['POST', '/api/v1/jobs/:id/cancel', 'admin'],
  ['GET', '/api/v1/jobs/:id/events', 'observer'],
  ['GET', '/api/v1/thin-clients', 'observer'],
  ['POST', '/api/v1/thin-clients/ask', 'device'],
  ['POST', '/api/v1/thin-clients/report', 'device'],
  ['PUT', '/api/v1/thin-clients/:id/assignment', 'admin'],
  ['POST', '/api/v1/thin-clients/:id/accept', 'admin'],
  ['DELETE', '/api/v1/thin-clients/:id', 'admin'],
  ['GET', '/api/v1/clients-xml', 'observer'],
  ['PUT', '/api/v1/clients-xml', 'admin'],
  ['POST', '/api/v1/clients-xml/check', 'observer'],
] as const satisfies ReadonlyArray<readonly [string, string, Access]>

/** Routes as the application has them: `METHOD /path`. */
export function routesOf (printed: string): string[] {
  const names: string[] = []
  const stack: string[] = []
  for (const line of printed.split('\n')) {
    const found = /^((?:│ {3}| {4})*)(?:├──|└──) (.*?)(?: \(([A-Z, ]+)\))?$/.exec(line)
    if (!found) continue
    const depth = (found[1] ?? '').length / 4
    stack.length = depth
    stack[depth] = found[2] ?? ''
    for (const method of found[3]?.split(', ') ?? []) if (method !== 'HEAD' && method !== 'OPTIONS') names.push(`${method} ${stack.join('')}`)
  }
  return names.sort()
}
