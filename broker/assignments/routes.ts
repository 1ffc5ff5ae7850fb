import {
  AssignAnswer,
  AssignRequest,
  ClaimAnswer,
  ClaimRequest,
  Desktop,
  DesktopList,
  MachineAssignRequest,
  RebuildRequest,
  RebuildResult,
  ReleaseRequest,
} from '../api/assignments.js'
import { NameParams } from '../api/common.js'
import { OfferList } from '../api/offers.js'
import { abortedWith, type App, callerOf, NoContent, route } from '../http.js'
import { offersFor, type OffersDeps } from './offers.js'
import type { RebuildDeps } from './rebuild-reading.js'
import { rebuildState } from './rebuild-state.js'
import type { Assignments } from './service.js'

export function assignmentRoutes(
  assignments: Assignments,
  rebuild: RebuildDeps,
  offers: OffersDeps,
) {
  return (app: App): void => {
    desktopRoutes(app, assignments, offers)
    claimRoutes(app, assignments)
    assignRoutes(app, assignments)
    releaseRoutes(app, assignments)
    rebuildRoutes(app, assignments, rebuild)
  }
}

function desktopRoutes(app: App, assignments: Assignments, offers: OffersDeps): void {
  app.get(
    '/desktops',
    route(
      'Desktops that people and devices have; a person without a role sees their own',
      {},
      { 200: DesktopList },
    ),
    async (request) => {
      const by = callerOf(request)
      return {
        desktops: await assignments.desktops(
          by.role === 'user' ? { holder: `user:${by.key}` } : {},
        ),
      }
    },
  )
  app.get(
    '/desktops/mine',
    route("The caller's desktops", {}, { 200: DesktopList }),
    async (request) => ({
      desktops: await assignments.desktops({ holder: `user:${callerOf(request).key}` }),
    }),
  )
  app.get(
    '/desktops/offers',
    route(
      'Pools and machines that the caller may use, with their desktop of each',
      {},
      { 200: OfferList },
    ),
    async (request) => ({ offers: await offersFor(offers, callerOf(request)) }),
  )
}

/** What people do for themselves. */
function claimRoutes(app: App, assignments: Assignments): void {
  app.delete(
    '/pools/:name/claim',
    route('Leave the queue', { params: NameParams }, { 204: NoContent }),
    async (request, reply) => {
      await assignments.leaveQueue(request.params.name, `user:${callerOf(request).key}`)
      return await reply.code(204).send()
    },
  )
  app.post(
    '/pools/:name/claim',
    route(
      'Get a desktop: the one that the caller has of this pool, or a free one, started',
      { params: NameParams, body: ClaimRequest },
      { 200: ClaimAnswer },
    ),
    async (request, reply) => {
      const by = callerOf(request)
      return await assignments.claim(
        request.params.name,
        `user:${by.key}`,
        by,
        request.body,
        abortedWith(reply),
      )
    },
  )
}

function assignRoutes(app: App, assignments: Assignments): void {
  app.post(
    '/pools/:name/assign',
    route(
      'Give somebody a desktop of this pool',
      { params: NameParams, body: AssignRequest },
      { 200: AssignAnswer },
    ),
    async (request, reply) => {
      const desktop = await assignments.assign(
        request.params.name,
        request.body.user,
        request.body,
        callerOf(request),
        abortedWith(reply),
      )
      return { ...desktop, warnings: await assignments.warningsAbout(request.body.user) }
    },
  )
  app.post(
    '/machines/:name/assign',
    route(
      'Give somebody this machine',
      { params: NameParams, body: MachineAssignRequest },
      { 200: AssignAnswer },
    ),
    async (request, reply) => {
      const desktop = await assignments.assignMachine(
        request.params.name,
        request.body.user,
        request.body,
        callerOf(request),
        abortedWith(reply),
      )
      return { ...desktop, warnings: await assignments.warningsAbout(request.body.user) }
    },
  )
}

function releaseRoutes(app: App, assignments: Assignments): void {
  app.post(
    '/machines/:name/release',
    route('Release it', { params: NameParams, body: ReleaseRequest }, { 204: NoContent }),
    async (request, reply) => {
      await assignments.release(request.params.name, callerOf(request), {
        force: request.body.force ?? false,
        because: 'released',
      })
      return await reply.code(204).send()
    },
  )
  app.post(
    '/machines/:name/extend',
    route('Extend it', { params: NameParams }, { 200: Desktop }),
    async (request) => await assignments.extend(request.params.name, callerOf(request)),
  )
}

function rebuildRoutes(app: App, assignments: Assignments, rebuild: RebuildDeps): void {
  app.post(
    '/rebuild-state',
    route(
      'Rebuild a lost database from the metadata of the domains',
      { body: RebuildRequest },
      { 200: RebuildResult },
    ),
    async (request) => await rebuildState(rebuild, request.body.dryRun ?? false, callerOf(request)),
  )
  app.post(
    '/machines/:name/rebuild',
    route('Recreate its disk; what is on it is lost', { params: NameParams }, { 204: NoContent }),
    async (request, reply) => {
      await assignments.rebuild(request.params.name, callerOf(request))
      return await reply.code(204).send()
    },
  )
}
