import type { Verb } from '../../../broker/api/permissions.js'

/**
 * What a route needs, said a second time and in other words than broker/access.ts: a site role,
 * `sees:KIND`, or `KIND:VERB` (several, with +: any of them lets one in, and which of them counts
 * depends on the body).
 */
export type Needs =
  | 'public'
  | 'device'
  | 'user'
  | 'person'
  | 'observer'
  | 'admin'
  | `sees:${'pool' | 'machine'}`
  | `${'pool' | 'machine'}:${Verb}`
  | 'machine:start+stop+reset'

/** Every route and who may call it. One that is added to the broker without a line here fails the tests. */
export const ROUTES = [
  ['GET', '/healthz', 'public'],
  ['GET', '/readyz', 'public'],
  ['GET', '/metrics', 'observer'],
  ['GET', '/ca.pem', 'public'],
  ['GET', '/install/hypervisor.sh', 'public'],
  ['GET', '/api/v1/openapi.json', 'public'],
  ['GET', '/assets/:file', 'public'],
  ['GET', '/api/v1/live', 'user'],
  ['POST', '/api/v1/login', 'public'],
  ['POST', '/api/v1/session', 'public'],
  ['GET', '/api/v1/session', 'user'],
  ['DELETE', '/api/v1/session', 'user'],
  ['DELETE', '/api/v1/sessions', 'person'],
  ['GET', '/api/v1/login/providers', 'public'],
  ['GET', '/api/v1/login/oidc/:provider', 'public'],
  ['GET', '/api/v1/login/oidc/:provider/callback', 'public'],
  ['POST', '/api/v1/login/oidc/:provider/device', 'public'],
  ['POST', '/api/v1/login/oidc/:provider/poll', 'public'],
  ['GET', '/api/v1/users', 'observer'],
  ['POST', '/api/v1/users', 'admin'],
  ['GET', '/api/v1/users/:name', 'observer'],
  ['PATCH', '/api/v1/users/:name', 'admin'],
  ['DELETE', '/api/v1/users/:name', 'admin'],
  ['POST', '/api/v1/users/:name/password', 'admin'],
  ['POST', '/api/v1/users/:name/unlock', 'admin'],
  ['POST', '/api/v1/users/:name/log-out', 'admin'],
  ['GET', '/api/v1/roles', 'observer'],
  ['GET', '/api/v1/directories', 'observer'],
  ['POST', '/api/v1/directories/:name/test', 'admin'],
  ['POST', '/api/v1/login/oidc/:provider/test', 'admin'],
  ['GET', '/api/v1/events/export', 'observer'],
  ['POST', '/api/v1/events/verify', 'observer'],
  ['GET', '/api/v1/whoami', 'user'],
  ['POST', '/api/v1/password', 'person'],
  ['GET', '/api/v1/tokens', 'user'],
  ['POST', '/api/v1/tokens', 'user'],
  ['DELETE', '/api/v1/tokens/:name', 'user'],
  ['GET', '/api/v1/whoami/permissions', 'user'],
  ['GET', '/api/v1/users/:name/permissions', 'observer'],
  ['GET', '/api/v1/users/:name/tokens', 'observer'],
  ['DELETE', '/api/v1/users/:name/tokens/:id', 'admin'],
  ['GET', '/api/v1/grants', 'observer'],
  ['PUT', '/api/v1/grants', 'admin'],
  ['DELETE', '/api/v1/grants', 'admin'],
  ['GET', '/api/v1/events', 'observer'],
  ['GET', '/api/v1/history', 'observer'],
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
  ['POST', '/api/v1/hypervisors/:name/check', 'admin'],
  ['GET', '/api/v1/hypervisors/:name/drain', 'observer'],
  ['GET', '/api/v1/hypervisors/:name/leftovers', 'observer'],
  ['POST', '/api/v1/hypervisors/:name/drain', 'admin'],
  ['GET', '/api/v1/hypervisors/:name/domains', 'observer'],
  ['GET', '/api/v1/machines', 'user'],
  ['POST', '/api/v1/machines', 'admin'],
  ['POST', '/api/v1/machines/adopt', 'admin'],
  ['GET', '/api/v1/machines/:name', 'sees:machine'],
  ['PATCH', '/api/v1/machines/:name', 'admin'],
  ['DELETE', '/api/v1/machines/:name', 'admin'],
  ['GET', '/api/v1/machines/:name/xml', 'observer'],
  ['POST', '/api/v1/machines/:name/power', 'machine:start+stop+reset'],
  ['PUT', '/api/v1/machines/:name/maintenance', 'machine:admin'],
  ['PUT', '/api/v1/machines/:name/discard-changes', 'machine:admin'],
  ['POST', '/api/v1/machines/:name/copy', 'admin'],
  ['POST', '/api/v1/machines/:name/populate', 'admin'],
  ['GET', '/api/v1/machines/:name/populate', 'observer'],
  ['GET', '/api/v1/machines/:name/generations', 'observer'],
  ['POST', '/api/v1/machines/:name/import', 'admin'],
  ['POST', '/api/v1/machines/:name/console', 'machine:accessConsole'],
  ['POST', '/api/v1/machines/:name/screen', 'machine:accessConsole'],
  ['GET', '/api/v1/machines/:name/screen', 'machine:accessConsole'],
  ['GET', '/api/v1/machines/:name/thumbnail', 'machine:takeConsole'],
  ['GET', '/api/v1/machines/:name/paths', 'machine:accessConsole'],
  ['GET', '/api/v1/machines/:name/port-forward', 'machine:accessConsole'],
  ['GET', '/api/v1/sessions', 'observer'],
  ['POST', '/api/v1/machines/:name/assign', 'machine:assign'],
  ['POST', '/api/v1/machines/:name/release', 'machine:release'],
  ['POST', '/api/v1/machines/:name/extend', 'machine:extend'],
  ['POST', '/api/v1/machines/:name/rebuild', 'machine:rebuild'],
  ['GET', '/api/v1/pools', 'user'],
  ['POST', '/api/v1/pools', 'admin'],
  ['GET', '/api/v1/pools/:name', 'sees:pool'],
  ['PATCH', '/api/v1/pools/:name', 'pool:admin'],
  ['DELETE', '/api/v1/pools/:name', 'admin'],
  ['PUT', '/api/v1/pools/:name/maintenance', 'pool:admin'],
  ['POST', '/api/v1/pools/:name/members', 'admin'],
  ['DELETE', '/api/v1/pools/:name/members/:machine', 'admin'],
  ['POST', '/api/v1/pools/:name/claim', 'pool:start'],
  ['DELETE', '/api/v1/pools/:name/claim', 'pool:start'],
  ['POST', '/api/v1/pools/:name/assign', 'pool:assign'],
  ['POST', '/api/v1/apply', 'admin'],
  ['GET', '/api/v1/export', 'observer'],
  ['POST', '/api/v1/rebuild-state', 'admin'],
  ['GET', '/api/v1/desktops', 'user'],
  ['GET', '/api/v1/desktops/mine', 'user'],
  ['GET', '/api/v1/desktops/offers', 'user'],
  ['GET', '/api/v1/jobs', 'user'],
  ['GET', '/api/v1/jobs/:id', 'user'],
  ['POST', '/api/v1/jobs/:id/cancel', 'admin'],
  ['GET', '/api/v1/jobs/:id/events', 'user'],
  ['GET', '/api/v1/thin-clients', 'observer'],
  ['POST', '/api/v1/thin-clients/ask', 'device'],
  ['POST', '/api/v1/thin-clients/report', 'device'],
  ['POST', '/api/v1/thin-clients/login', 'device'],
  ['POST', '/api/v1/thin-clients/login/provider', 'device'],
  ['POST', '/api/v1/thin-clients/login/provider/poll', 'device'],
  ['POST', '/api/v1/thin-clients/login/code', 'device'],
  ['POST', '/api/v1/thin-clients/login/code/poll', 'device'],
  ['POST', '/api/v1/device-login/look', 'person'],
  ['POST', '/api/v1/device-login/answer', 'person'],
  ['POST', '/api/v1/thin-clients/choose', 'device'],
  ['POST', '/api/v1/thin-clients/logout', 'device'],
  ['POST', '/api/v1/thin-clients/done', 'device'],
  ['GET', '/api/v1/thin-clients/:id', 'observer'],
  ['POST', '/api/v1/thin-clients/:id/message', 'admin'],
  ['POST', '/api/v1/thin-clients/:id/reconnect', 'admin'],
  ['POST', '/api/v1/thin-clients/:id/reboot', 'admin'],
  ['PUT', '/api/v1/thin-clients/:id/assignment', 'admin'],
  ['POST', '/api/v1/thin-clients/:id/accept', 'admin'],
  ['DELETE', '/api/v1/thin-clients/:id', 'admin'],
  ['PATCH', '/api/v1/thin-clients/:id', 'admin'],
  ['POST', '/api/v1/thin-clients/forget-unaccepted', 'admin'],
  ['GET', '/api/v1/clients-xml', 'observer'],
  ['PUT', '/api/v1/clients-xml', 'admin'],
  ['POST', '/api/v1/clients-xml/check', 'observer'],
  ['GET', '/api/v1/clients-xml/history', 'observer'],
  ['GET', '/api/v1/clients-xml/history/:id', 'observer'],
] as const satisfies ReadonlyArray<readonly [string, string, Needs]>

/** Routes as the application has them: `METHOD /path`. */
export function routesOf(printed: string): string[] {
  const names: string[] = []
  const stack: string[] = []
  for (const line of printed.split('\n')) {
    const found = /^((?:│ {3}| {4})*)(?:├──|└──) (.*?)(?: \(([A-Z, ]+)\))?$/.exec(line)
    if (!found) continue
    const depth = (found[1] ?? '').length / 4
    stack.length = depth
    stack[depth] = found[2] ?? ''
    for (const method of found[3]?.split(', ') ?? [])
      if (method !== 'HEAD' && method !== 'OPTIONS') names.push(`${method} ${stack.join('')}`)
  }
  return names.sort()
}
