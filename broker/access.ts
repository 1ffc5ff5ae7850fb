import type { ObjectKind, Verb } from './api/permissions.js'

/**
 * Who may call a route. public: anybody. device: a thin client with its key. user: whoever is
 * logged in. person: the same, but not by a token with scopes. observer: whoever reads everything.
 * admin: an administrator. see: whoever sees the pool or machine that `:name` names. verb: whoever
 * has this permission on it; verbByAction: the permission depends on the body's `action`. list:
 * whoever is logged in; the answer's list of this name holds what they may see, also beside `see`.
 */
export type Access =
  'public' | 'device' | 'user' | 'person' | 'observer' | 'admin' | ObjectAccess | ListAccess
export type ObjectAccess =
  | { readonly see: ObjectKind }
  | (ListAccess & { readonly see: ObjectKind })
  | { readonly verb: Verb; readonly on: ObjectKind }
  | { readonly verbByAction: Readonly<Record<string, Verb>>; readonly on: ObjectKind }
export interface ListAccess {
  readonly list: string
  readonly of: ObjectKind
}

const POWER = {
  start: 'start',
  shutdown: 'stop',
  poweroff: 'stop',
  reboot: 'reset',
  reset: 'reset',
} as const satisfies Record<string, Verb>

/**
 * The one table: every route of the API (without /api/v1) and outside of it. The broker does not
 * start with a route that is not here.
 */
export const ACCESS: Readonly<Record<string, Access>> = {
  'GET /healthz': 'public',
  'GET /readyz': 'public',
  'GET /metrics': 'observer',
  'GET /ca.pem': 'public',
  'GET /install/hypervisor.sh': 'public',
  'GET /openapi.json': 'public',
  'GET /assets/:file': 'public',

  'POST /login': 'public',
  'POST /session': 'public',
  'GET /session': 'user',
  'DELETE /session': 'user',
  'DELETE /sessions': 'person',
  'GET /login/providers': 'public',
  'GET /login/oidc/:provider': 'public',
  'GET /login/oidc/:provider/callback': 'public',
  'POST /login/oidc/:provider/device': 'public',
  'POST /login/oidc/:provider/poll': 'public',
  'GET /live': 'user',
  'GET /whoami': 'user',
  'GET /whoami/permissions': 'user',
  'POST /password': 'person',
  'GET /tokens': 'user',
  'POST /tokens': 'user',
  'DELETE /tokens/:name': 'user',
  'GET /grants': 'observer',
  'PUT /grants': 'admin',
  'DELETE /grants': 'admin',
  'GET /users': 'observer',
  'POST /users': 'admin',
  'GET /users/:name': 'observer',
  'PATCH /users/:name': 'admin',
  'DELETE /users/:name': 'admin',
  'POST /users/:name/password': 'admin',
  'POST /users/:name/unlock': 'admin',
  'POST /users/:name/log-out': 'admin',
  'GET /users/:name/permissions': 'observer',
  'GET /users/:name/tokens': 'observer',
  'DELETE /users/:name/tokens/:id': 'admin',
  'GET /roles': 'observer',
  'GET /directories': 'observer',
  'POST /directories/:name/test': 'admin',
  'POST /login/oidc/:provider/test': 'admin',
  'GET /events': 'observer',
  'GET /events/export': 'observer',
  'POST /events/verify': 'observer',

  'GET /hypervisors': 'observer',
  'POST /hypervisors': 'admin',
  'POST /hypervisors/scan': 'admin',
  'GET /hypervisors/:name': 'observer',
  'PATCH /hypervisors/:name': 'admin',
  'DELETE /hypervisors/:name': 'admin',
  'GET /hypervisors/:name/install-line': 'observer',
  'GET /hypervisors/:name/host-key': 'admin',
  'POST /hypervisors/:name/trust': 'admin',
  'PUT /hypervisors/:name/maintenance': 'admin',
  'POST /hypervisors/:name/check': 'admin',
  'GET /hypervisors/:name/drain': 'observer',
  'POST /hypervisors/:name/drain': 'admin',
  'GET /hypervisors/:name/domains': 'observer',
  'GET /hypervisors/:name/leftovers': 'observer',

  'GET /machines': { list: 'machines', of: 'machine' },
  'POST /machines': 'admin',
  'POST /machines/adopt': 'admin',
  'GET /machines/:name': { see: 'machine' },
  'PATCH /machines/:name': 'admin',
  'DELETE /machines/:name': 'admin',
  'GET /machines/:name/xml': 'observer',
  'POST /machines/:name/power': { verbByAction: POWER, on: 'machine' },
  'PUT /machines/:name/maintenance': { verb: 'admin', on: 'machine' },
  'PUT /machines/:name/discard-changes': { verb: 'admin', on: 'machine' },
  'POST /machines/:name/copy': 'admin',
  'POST /machines/:name/populate': 'admin',
  'GET /machines/:name/populate': 'observer',
  'GET /machines/:name/generations': 'observer',
  'POST /machines/:name/import': 'admin',
  'POST /machines/:name/console': { verb: 'accessConsole', on: 'machine' },
  'POST /machines/:name/screen': { verb: 'accessConsole', on: 'machine' },
  'GET /machines/:name/screen': { verb: 'accessConsole', on: 'machine' },
  'GET /machines/:name/thumbnail': { verb: 'takeConsole', on: 'machine' },
  'GET /machines/:name/paths': { verb: 'accessConsole', on: 'machine' },
  'GET /machines/:name/port-forward': { verb: 'accessConsole', on: 'machine' },
  'GET /sessions': 'observer',

  'POST /machines/:name/assign': { verb: 'assign', on: 'machine' },
  'POST /machines/:name/release': { verb: 'release', on: 'machine' },
  'POST /machines/:name/extend': { verb: 'extend', on: 'machine' },
  'POST /machines/:name/rebuild': { verb: 'rebuild', on: 'machine' },

  'GET /pools': { list: 'pools', of: 'pool' },
  'POST /pools': 'admin',
  'GET /pools/:name': { see: 'pool', list: 'members', of: 'machine' },
  'PATCH /pools/:name': { verb: 'admin', on: 'pool' },
  'DELETE /pools/:name': 'admin',
  'PUT /pools/:name/maintenance': { verb: 'admin', on: 'pool' },
  // Whoever may put machines into a pool could give themselves any machine.
  'POST /pools/:name/members': 'admin',
  'DELETE /pools/:name/members/:machine': 'admin',
  'POST /pools/:name/claim': { verb: 'start', on: 'pool' },
  'DELETE /pools/:name/claim': { verb: 'start', on: 'pool' },
  'POST /pools/:name/assign': { verb: 'assign', on: 'pool' },
  'POST /apply': 'admin',
  'GET /export': 'observer',
  'POST /rebuild-state': 'admin',
  'GET /desktops': 'user',
  'GET /desktops/mine': 'user',
  'GET /desktops/offers': 'user',

  'GET /history': 'observer',

  'GET /jobs': 'user',
  'GET /jobs/:id': 'user',
  'POST /jobs/:id/cancel': 'admin',
  'GET /jobs/:id/events': 'user',

  'GET /thin-clients': 'observer',
  'POST /thin-clients/ask': 'device',
  'POST /thin-clients/report': 'device',
  'POST /thin-clients/login': 'device',
  'POST /thin-clients/login/provider': 'device',
  'POST /thin-clients/login/provider/poll': 'device',
  'POST /thin-clients/login/code': 'device',
  'POST /thin-clients/login/code/poll': 'device',
  'POST /device-login/look': 'person',
  'POST /device-login/answer': 'person',
  'POST /thin-clients/choose': 'device',
  'POST /thin-clients/logout': 'device',
  'POST /thin-clients/done': 'device',
  'GET /thin-clients/:id': 'observer',
  'POST /thin-clients/:id/message': 'admin',
  'POST /thin-clients/:id/reconnect': 'admin',
  'POST /thin-clients/:id/reboot': 'admin',
  'PUT /thin-clients/:id/assignment': 'admin',
  'POST /thin-clients/:id/accept': 'admin',
  'PATCH /thin-clients/:id': 'admin',
  'POST /thin-clients/forget-unaccepted': 'admin',
  'DELETE /thin-clients/:id': 'admin',
  'GET /clients-xml': 'observer',
  'PUT /clients-xml': 'admin',
  'POST /clients-xml/check': 'observer',
  'GET /clients-xml/history': 'observer',
  'GET /clients-xml/history/:id': 'observer',
}

/** The word by which the API's description groups routes. */
export function accessWord(access: Access): string {
  return typeof access === 'string'
    ? access
    : 'list' in access && !('see' in access)
      ? 'user'
      : 'permission'
}
