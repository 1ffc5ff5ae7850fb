import { Type } from '@sinclair/typebox'
import { ForceQuery, Maintenance, NameParams, strictObject } from '../api/common.js'
import {
  HostKeys,
  Hypervisor,
  HypervisorAdd,
  HypervisorAdded,
  HypervisorPatch,
  ScanRequest,
  ScanResult,
  TrustRequest,
} from '../api/hypervisors.js'
import { type App, callerOf, directHost, NoContent, route } from '../http.js'
import type { Hypervisors } from './service.js'

/**
 * What an administrator pastes as root on a new host; it pins the broker's own key, which a reverse
 * proxy does not show.
 */
type InstallLine = (host: string | null) => string

export function hypervisorRoutes(hypervisors: Hypervisors, installLine: InstallLine) {
  return (app: App): void => {
    newHypervisorRoutes(app, hypervisors, installLine)
    hypervisorItselfRoutes(app, hypervisors)
    trustRoutes(app, hypervisors, installLine)
    maintenanceRoute(app, hypervisors)
  }
}

function newHypervisorRoutes(app: App, hypervisors: Hypervisors, installLine: InstallLine): void {
  const list = { 200: strictObject({ hypervisors: Type.Array(Hypervisor) }) }
  app.get('/hypervisors', route('All hypervisors', {}, list), async () => ({
    hypervisors: await hypervisors.list(),
  }))
  app.post(
    '/hypervisors/scan',
    route('Which SSH host key an address shows', { body: ScanRequest }, { 200: ScanResult }),
    async (request) => await hypervisors.scan(request.body.address, request.body.port),
  )
  app.post(
    '/hypervisors',
    route(
      'Add a hypervisor whose host key was confirmed',
      { body: HypervisorAdd },
      { 201: HypervisorAdded },
    ),
    async (request, reply) => {
      const hypervisor = await hypervisors.add(request.body, callerOf(request))
      return await reply
        .code(201)
        .send({ hypervisor, installLine: installLine(directHost(request)) })
    },
  )
}

function hypervisorItselfRoutes(app: App, hypervisors: Hypervisors): void {
  app.get(
    '/hypervisors/:name',
    route('One hypervisor', { params: NameParams }, { 200: Hypervisor }),
    async (request) => await hypervisors.show(request.params.name),
  )
  app.patch(
    '/hypervisors/:name',
    route(
      'Change its settings',
      { params: NameParams, body: HypervisorPatch },
      { 200: Hypervisor },
    ),
    async (request) =>
      await hypervisors.change(request.params.name, request.body, callerOf(request)),
  )
  app.delete(
    '/hypervisors/:name',
    route(
      'Forget a hypervisor',
      { params: NameParams, querystring: ForceQuery },
      { 204: NoContent },
    ),
    async (request, reply) => {
      await hypervisors.remove(request.params.name, request.query.force ?? false, callerOf(request))
      return await reply.code(204).send()
    },
  )
}

/** What makes the host and the broker trust each other. */
function trustRoutes(app: App, hypervisors: Hypervisors, installLine: InstallLine): void {
  app.get(
    '/hypervisors/:name/install-line',
    route(
      'The line to paste as root on the host',
      { params: NameParams },
      { 200: strictObject({ installLine: Type.String() }) },
    ),
    async (request) => {
      hypervisors.row(request.params.name)
      return { installLine: installLine(directHost(request)) }
    },
  )
  app.get(
    '/hypervisors/:name/host-key',
    route(
      'The pinned host key and the one it shows now',
      { params: NameParams },
      { 200: HostKeys },
    ),
    async (request) => await hypervisors.hostKeys(request.params.name),
  )
  app.post(
    '/hypervisors/:name/trust',
    route(
      'Pin the key that it shows now',
      { params: NameParams, body: TrustRequest },
      { 200: Hypervisor },
    ),
    async (request) =>
      await hypervisors.trust(request.params.name, request.body.fingerprint, callerOf(request)),
  )
}

function maintenanceRoute(app: App, hypervisors: Hypervisors): void {
  app.put(
    '/hypervisors/:name/maintenance',
    route(
      'Turn its maintenance on or off',
      { params: NameParams, body: Maintenance },
      { 200: Hypervisor },
    ),
    async (request) =>
      await hypervisors.setMaintenance(
        request.params.name,
        request.body.on,
        request.body.reason ?? '',
        callerOf(request),
      ),
  )
}
