import type { FastifyRequest } from 'fastify'
import {
  ConsoleRequest,
  MachinePathList,
  PortQuery,
  Screen,
  ScreenRequest,
  SessionList,
  VIEWER_FILE_TYPE,
} from '../api/consoles.js'
import { NameParams } from '../api/common.js'
import { SpiceConsole } from '../api/machines.js'
import { viewerFile } from '../api/viewer-file.js'
import { type App, callerOf, directHost, route } from '../http.js'
import { requireMachine } from '../machines/store.js'
import type { OwnSite } from '../users/own-site.js'
import { inOrder, machinePaths } from './paths.js'
import { forwardPort } from './port-forward.js'
import type { Asker } from './asker.js'
import type { Consoles } from './service.js'
import type { Thumbnails } from './thumbnails.js'
import { requireUpgrade, upgrade } from './upgrades.js'

const HOST_AND_PORT = /^([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

export function consoleRoutes(consoles: Consoles, thumbnails: Thumbnails, site: OwnSite) {
  return (app: App): void => {
    ticketRoute(app, consoles)
    pathRoutes(app, consoles, site)
    screenRoutes(app, consoles, site)
    thumbnailRoute(app, consoles, thumbnails)
    sessionsRoute(app, consoles)
  }
}

function ticketRoute(app: App, consoles: Consoles): void {
  const console = route(
    "A one-time ticket for its display, as JSON or as remote-viewer's file",
    { params: NameParams, body: ConsoleRequest },
    { 200: SpiceConsole },
  )
  app.post(
    '/machines/:name/console',
    { ...console, preValidation: withoutBody },
    async (request, reply) => {
      const machine = await requireMachine(consoles.deps.store, request.params.name)
      const given = await consoles.spiceConsole(machine, askerOf(request), {
        ...request.body,
        ...brokerHostOf(request),
        ...loginOf(request),
      })
      void reply.header('cache-control', 'no-store')
      if (!wantsFile(request)) return given
      // A serializer of its own: the schema is that of the JSON answer.
      return await reply
        .type(VIEWER_FILE_TYPE)
        .header('content-disposition', `attachment; filename="${machine.name}.vv"`)
        .serializer((text: unknown) => String(text))
        .send(viewerFile(given, { deleteThisFile: true }))
    },
  )
}

function pathRoutes(app: App, consoles: Consoles, site: OwnSite): void {
  app.get(
    '/machines/:name/paths',
    route('Every way to it, with what to type', { params: NameParams }, { 200: MachinePathList }),
    async (request) => {
      const machine = await requireMachine(consoles.deps.store, request.params.name)
      return {
        paths: inOrder(
          await machinePaths(consoles.deps.hypervisors, machine, consoles.proxyPort),
          await consoles.deps.protocols(machine.id),
        ),
      }
    },
  )
  app.get(
    '/machines/:name/port-forward',
    route('A connection to a port of its guest, as a WebSocket', {
      params: NameParams,
      querystring: PortQuery,
    }),
    async (request, reply) => {
      const machine = await requireMachine(consoles.deps.store, request.params.name)
      requireUpgrade(request, site, 'port_forward_needed')
      await forwardPort(
        consoles,
        machine,
        askerOf(request),
        request.query.port,
        async () => await upgrade(request, reply),
      )
    },
  )
}

function screenRoutes(app: App, consoles: Consoles, site: OwnSite): void {
  app.post(
    '/machines/:name/screen',
    {
      ...route(
        'A one-time ticket for its screen in a browser',
        { params: NameParams, body: ScreenRequest },
        { 200: Screen },
      ),
      preValidation: withoutBody,
    },
    async (request, reply) => {
      const machine = await requireMachine(consoles.deps.store, request.params.name)
      void reply.header('cache-control', 'no-store')
      return await consoles.screens.ask(
        machine,
        askerOf(request),
        request.body,
        loginOf(request).loginVerbs,
      )
    },
  )
  app.get(
    '/machines/:name/screen',
    route('Its screen as a WebSocket: the ticket first, then RFB', { params: NameParams }),
    async (request, reply) => {
      const machine = await requireMachine(consoles.deps.store, request.params.name)
      requireUpgrade(request, site, 'browser_needed')
      const webSocket = await upgrade(request, reply)
      if (webSocket) await consoles.screens.serve(machine, askerOf(request), webSocket)
    },
  )
}

function thumbnailRoute(app: App, consoles: Consoles, thumbnails: Thumbnails): void {
  app.get(
    '/machines/:name/thumbnail',
    route('A picture of its screen (PNG); none while somebody else works there', {
      params: NameParams,
    }),
    async (request, reply) => {
      const machine = await requireMachine(consoles.deps.store, request.params.name)
      return await reply
        .type('image/png')
        .header('cache-control', 'no-store')
        .send(await thumbnails.of(machine, callerOf(request).actor))
    },
  )
}

function sessionsRoute(app: App, consoles: Consoles): void {
  app.get(
    '/sessions',
    route('Who is connected to which machine now', {}, { 200: SessionList }),
    async () => ({ sessions: await consoles.sessions() }),
  )
}

/** A question without a body asks for nothing in particular. */
async function withoutBody(request: FastifyRequest): Promise<void> {
  if (request.body === undefined) request.body = {}
}

function askerOf(request: FastifyRequest): Asker {
  const { actor, login } = callerOf(request)
  return {
    kind: 'person',
    name: actor,
    address: request.ip,
    ...(login === undefined ? {} : { login }),
  }
}

/**
 * What this login may do, which a token's scopes make less than the account may; nothing is said of
 * an administrator's, who may everything.
 */
function loginOf(request: FastifyRequest): { loginVerbs?: ReadonlySet<string> } {
  return request.verbs ? { loginVerbs: request.verbs } : {}
}

function wantsFile(request: FastifyRequest): boolean {
  return (request.headers.accept ?? '')
    .split(',')
    .some((one) => one.split(';')[0]?.trim().toLowerCase() === VIEWER_FILE_TYPE)
}

/**
 * The name by which they reached the broker goes back to themselves only; one that is no address is
 * not repeated. A reverse proxy's name is not where the console proxy listens.
 */
export function brokerHostOf(request: FastifyRequest): { brokerHost?: string } {
  const host = HOST_AND_PORT.exec(directHost(request) ?? '')?.[1]
  return host === undefined ? {} : { brokerHost: host }
}
