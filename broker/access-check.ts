import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { ACCESS, type Access, accessWord, type ListAccess, type ObjectAccess } from './access.js'
import { Allowance, type AllowanceRules } from './allowance.js'
import { refusal } from './errors/broker-error.js'
import { callerOf } from './http.js'
import type { Caller } from './users/caller.js'
import { requireWhole } from './users/tokens.js'
import { noSuch, type Permissions, requireVerb } from './users/permissions.js'

export interface AccessDeps {
  /** Who asks; throws `unauthenticated`. */
  readonly authenticate: (request: FastifyRequest) => Promise<Caller>
  readonly permissions: Permissions
}

/** What somebody without a role asks for in a row, by clicks or by a script of their own, is far below this. */
const CHANGES: AllowanceRules = {
  atOnce: 300,
  aMinute: 120,
  reason: 'changes_too_often',
}
/** Their windows ask again after each change that they are told of. */
const LOOKS: AllowanceRules = {
  atOnce: 3_000,
  aMinute: 1_800,
  reason: 'looks_too_often',
}

/**
 * Puts the table of access in force. To be called before any route is added: one that is not in the
 * table stops the start.
 */
export function enforceAccess(app: FastifyInstance, deps: AccessDeps): void {
  app.addHook('onRoute', (route) => {
    label(route)
  })
  const changes = new Allowance(CHANGES)
  const looks = new Allowance(LOOKS)
  app.addHook('onRequest', async (request) => {
    // Administrators and observers have programs that ask without end; all others are many, and
    // strangers to each other.
    const counted = (caller: Caller | null): caller is Caller => caller?.role === 'user'
    await checkRequest(deps, request, (caller) => {
      if (counted(caller)) looks.count(caller.key)
    })
    // What was refused has changed nothing, and cost no more than a look.
    if (counted(request.caller) && !isLook(request)) changes.count(request.caller.key)
  })
  app.addHook('preHandler', async (request) => {
    checkBody(request)
  })
  app.addHook(
    'preSerialization',
    async (request, _reply, payload) => await filterList(deps.permissions, request, payload),
  )
}

function isLook({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

function label(route: RouteOptions): void {
  for (const method of [route.method].flat()) {
    const name = `${method === 'HEAD' ? 'GET' : method} ${route.url.replace(/^\/api\/v1(?=\/)/, '')}`
    const access = ACCESS[name]
    if (access === undefined)
      throw new Error(`${name} is not in broker/access.ts: say there who may call it.`)
    route.config = { ...route.config, access }
    if (route.schema && route.schema.hide !== true) route.schema.tags = [accessWord(access)]
  }
}

/** Permission comes before everything else, also before the body is read. */
async function checkRequest(
  deps: AccessDeps,
  request: FastifyRequest,
  count: (caller: Caller) => void,
): Promise<void> {
  if (request.is404) return
  const access = request.routeOptions.config.access
  if (access === 'public' || access === 'device') return
  const caller = await deps.authenticate(request)
  request.caller = caller
  count(caller)
  if (access === 'person') requireWhole(caller)
  if (mayByRole(access, caller)) return
  if (isObject(access)) await checkObject(deps.permissions, access, request, caller)
  else if (isList(access)) await checkFilters(deps.permissions, request, caller)
  else throw access === 'observer' ? refusal('only_readers') : refusal('only_administrators')
}

/** Whether nothing else needs to be asked. */
function mayByRole(access: Access | undefined, { role }: Caller): boolean {
  if (access === 'user' || access === 'person' || role === 'admin') return true
  return access === 'observer' && role === 'observer'
}

async function checkObject(
  permissions: Permissions,
  access: ObjectAccess,
  request: FastifyRequest,
  caller: Caller,
): Promise<void> {
  const kind = 'see' in access ? access.see : access.on
  const { name = '' } = request.params as { name?: string }
  const verbs = await permissions.on(caller, kind, name)
  if (verbs === null) throw noSuch(kind, name)
  request.verbs = verbs
  if ('verb' in access) requireVerb(verbs, access.verb, kind, name)
  // What cannot be allowed whatever the body says is refused before it is read.
  if (
    'verbByAction' in access &&
    !Object.values(access.verbByAction).some((verb) => verbs.has(verb))
  )
    throw refusal('nothing_allowed', { kind, name })
}

/** An item of a list is found by its name, or by the machine that it is about. */
type Named = { readonly name: string } | { readonly machine: string }

/** A list that is asked for by the name of another thing must not tell that it exists. */
async function checkFilters(
  permissions: Permissions,
  request: FastifyRequest,
  caller: Caller,
): Promise<void> {
  const { parent, pool } = request.query as { parent?: string; pool?: string }
  for (const [kind, name] of [
    ['machine', parent],
    ['pool', pool],
  ] as const) {
    if (
      name !== undefined &&
      caller.role === 'user' &&
      (await permissions.on(caller, kind, name)) === null
    )
      throw noSuch(kind, name)
  }
}

/** What depends on the body. One who has a permission on a machine has none on those made from it. */
function checkBody(request: FastifyRequest): void {
  const access = request.routeOptions.config.access
  if (!request.verbs || !isObject(access)) return
  const { name = '' } = request.params as { name?: string }
  const { action = '', children = false } = (request.body ?? {}) as {
    action?: string
    children?: boolean
  }
  if ('verbByAction' in access)
    requireVerb(request.verbs, access.verbByAction[action] ?? 'admin', access.on, name)
  if (children && callerOf(request).role !== 'admin') throw refusal('all_children_not_allowed')
}

async function filterList(
  permissions: Permissions,
  request: FastifyRequest,
  payload: unknown,
): Promise<unknown> {
  const access = request.routeOptions.config.access
  if (!isList(access) || !request.caller) return payload
  const answer = payload as Record<string, ReadonlyArray<Named> | undefined>
  const all = answer[access.list]
  return all === undefined
    ? payload
    : {
        ...answer,
        [access.list]: await permissions.seen(request.caller, access.of, all, (item) =>
          'name' in item ? item.name : item.machine,
        ),
      }
}

function isList(access: Access | undefined): access is Extract<Access, ListAccess> {
  return typeof access === 'object' && 'list' in access
}
function isObject(access: Access | undefined): access is ObjectAccess {
  return typeof access === 'object' && (!('list' in access) || 'see' in access)
}
