import { NameParams } from '../api/common.js'
import { DrainRequest, DrainState } from '../api/drains.js'
import { type App, callerOf, route } from '../http.js'
import type { Drains } from './service.js'

export function drainRoutes(drains: Drains) {
  return (app: App): void => {
    app.get(
      '/hypervisors/:name/drain',
      route(
        'How far it is drained; or what would become of its machines',
        { params: NameParams },
        { 200: DrainState },
      ),
      async (request) => await drains.state(request.params.name),
    )
    app.post(
      '/hypervisors/:name/drain',
      route(
        'Drain it: maintenance, and what is free is moved or stopped; it ends with the maintenance',
        { params: NameParams, body: DrainRequest },
        { 200: DrainState },
      ),
      async (request) => await drains.begin(request.params.name, request.body, callerOf(request)),
    )
  }
}
