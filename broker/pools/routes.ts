import { NameParams, strictObject } from '../api/common.js'
import { JobRef } from '../api/images.js'
import {
  ApplyRequest,
  ApplyResult,
  ExportResult,
  MemberAdd,
  MemberParams,
  Pool,
  PoolAndJob,
  PoolCreate,
  PoolDeleteQuery,
  PoolDetail,
  PoolList,
  PoolMaintenance,
  PoolPatch,
} from '../api/pools.js'
import { type App, callerOf, route } from '../http.js'
import type { Documents } from './documents.js'
import type { Pools } from './service.js'
import { poolsFor, type ViewsDeps } from './views.js'

/** What the rooms that hand machines out answer. */
export interface PoolRoutesDeps {
  /** Throws `assigned` while somebody has a desktop of the pool, unless forced. */
  readonly refuseAssigned: (poolName: string, force: boolean) => Promise<void>
  /** Ends so many assignments of the pool, the longest unused first. */
  readonly releaseExcess: (poolName: string) => Promise<void>
}

export function poolRoutes(
  pools: Pools,
  documents: Documents,
  deps: PoolRoutesDeps,
  views: ViewsDeps,
) {
  return (app: App): void => {
    poolListRoutes(app, pools, views)
    changeRoutes(app, pools, deps)
    memberRoutes(app, pools)
    documentRoutes(app, documents)
  }
}

function poolListRoutes(app: App, pools: Pools, views: ViewsDeps): void {
  app.get('/pools', route('All pools', {}, { 200: PoolList }), async (request) => ({
    pools: await poolsFor(views, callerOf(request), await pools.list()),
  }))
  app.post(
    '/pools',
    route('Create a pool; a job builds its members', { body: PoolCreate }, { 202: PoolAndJob }),
    async (request, reply) =>
      await reply.code(202).send(await pools.create(request.body, callerOf(request))),
  )
  app.get(
    '/pools/:name',
    route('One pool with its members', { params: NameParams }, { 200: PoolDetail }),
    async (request) => {
      const { pool, members } = await pools.show(request.params.name)
      const [seen = pool] = await poolsFor(views, callerOf(request), [pool])
      return { pool: seen, members }
    },
  )
}

function changeRoutes(app: App, pools: Pools, deps: PoolRoutesDeps): void {
  app.patch(
    '/pools/:name',
    route(
      'Change its size or policy',
      { params: NameParams, body: PoolPatch },
      { 202: PoolAndJob },
    ),
    async (request, reply) => {
      const answer = await pools.change(request.params.name, request.body, callerOf(request))
      if (request.body.force === true) await deps.releaseExcess(request.params.name)
      return await reply.code(202).send(answer)
    },
  )
  app.delete(
    '/pools/:name',
    route(
      'Delete it with the members it built',
      { params: NameParams, querystring: PoolDeleteQuery },
      { 202: JobRef },
    ),
    async (request, reply) => {
      await deps.refuseAssigned(request.params.name, request.query.force ?? false)
      return await reply.code(202).send({
        job: await pools.remove(
          request.params.name,
          request.query.keepMachines ?? false,
          callerOf(request),
        ),
      })
    },
  )
}

function memberRoutes(app: App, pools: Pools): void {
  app.put(
    '/pools/:name/maintenance',
    route(
      'Turn its maintenance on or off',
      { params: NameParams, body: PoolMaintenance },
      { 200: Pool },
    ),
    async (request) =>
      await pools.setMaintenance(request.params.name, request.body, callerOf(request)),
  )
  app.post(
    '/pools/:name/members',
    route('Make a machine a member', { params: NameParams, body: MemberAdd }, { 200: Pool }),
    async (request) =>
      await pools.add(request.params.name, request.body.machine, callerOf(request)),
  )
  app.delete(
    '/pools/:name/members/:machine',
    route('Take a machine out of the pool', { params: MemberParams }, { 200: Pool }),
    async (request) =>
      await pools.take(request.params.name, request.params.machine, callerOf(request)),
  )
}

function documentRoutes(app: App, documents: Documents): void {
  app.post(
    '/apply',
    route('Make pools what documents say', { body: ApplyRequest }, { 200: ApplyResult }),
    async (request) =>
      await documents.apply(request.body.yaml, request.body.dryRun ?? false, callerOf(request)),
  )
  app.get(
    '/export',
    route('All pools as documents', { querystring: strictObject({}) }, { 200: ExportResult }),
    async () => ({ yaml: await documents.export() }),
  )
}
