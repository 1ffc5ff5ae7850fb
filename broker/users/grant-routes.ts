import {
  Grant,
  GrantList,
  GrantPlace,
  GrantQuery,
  GrantSet,
  Permissions,
} from '../api/permissions.js'
import { UserParams } from '../api/users.js'
import { type App, callerOf, NoContent, route } from '../http.js'
import type { Grants } from './grants.js'

export function grantRoutes(grants: Grants) {
  return (app: App): void => {
    app.get(
      '/grants',
      route('Grants on pools and machines', { querystring: GrantQuery }, { 200: GrantList }),
      async (request) => ({ grants: await grants.list(request.query) }),
    )
    app.put(
      '/grants',
      route(
        'What a person or role may do with a pool or machine',
        { body: GrantSet },
        { 200: Grant },
      ),
      async (request) => await grants.set(request.body, callerOf(request)),
    )
    app.delete(
      '/grants',
      route('Withdraw a grant', { querystring: GrantPlace }, { 204: NoContent }),
      async (request, reply) => {
        await grants.remove(request.query, callerOf(request))
        return await reply.code(204).send()
      },
    )
    app.get(
      '/users/:name/permissions',
      route('What a person may do, and why', { params: UserParams }, { 200: Permissions }),
      async (request) => await grants.explain(request.params.name),
    )
    app.get(
      '/whoami/permissions',
      route("The caller's permissions, and why", {}, { 200: Permissions }),
      async (request) => await grants.explain(callerOf(request).actor),
    )
  }
}
