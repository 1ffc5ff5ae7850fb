import { NameParams, strictObject } from '../api/common.js'
import {
  DirectoryList,
  DirectoryTest,
  DirectoryTestRequest,
  PasswordReset,
  RoleList,
  TokenList,
  TokenParams,
  User,
  UserCreate,
  UserList,
  UserParams,
  UserPatch,
} from '../api/users.js'
import { recordEvent } from '../audit/store.js'
import { type App, callerOf, NoContent, route } from '../http.js'
import type { Accounts } from './accounts.js'
import type { Directories } from './directories.js'
import { revokeOf, type Tokens } from './tokens.js'

export function accountRoutes(accounts: Accounts, directories: Directories, tokens: Tokens) {
  return (app: App): void => {
    accountItselfRoutes(app, accounts)
    accountLoginRoutes(app, accounts)
    accountTokenRoutes(app, accounts, tokens)
    rolesRoute(app, accounts)
    directoryRoutes(app, accounts, directories)
  }
}

function accountItselfRoutes(app: App, accounts: Accounts): void {
  app.get('/users', route('All accounts', {}, { 200: UserList }), async () => ({
    users: await accounts.list(),
  }))
  app.post(
    '/users',
    route('Create a local account', { body: UserCreate }, { 201: User }),
    async (request, reply) =>
      await reply.code(201).send(await accounts.create(request.body, callerOf(request))),
  )
  app.get(
    '/users/:name',
    route('One account', { params: UserParams }, { 200: User }),
    async (request) => await accounts.show(request.params.name),
  )
  app.patch(
    '/users/:name',
    route(
      'Change its roles, disable or enable it',
      { params: UserParams, body: UserPatch },
      { 200: User },
    ),
    async (request) => await accounts.change(request.params.name, request.body, callerOf(request)),
  )
  app.delete(
    '/users/:name',
    route('Delete it with its tokens and grants', { params: UserParams }, { 204: NoContent }),
    async (request, reply) => {
      await accounts.remove(request.params.name, callerOf(request))
      return await reply.code(204).send()
    },
  )
}

/** How people come in, and that they do not. */
function accountLoginRoutes(app: App, accounts: Accounts): void {
  app.post(
    '/users/:name/password',
    route(
      'Give it a new password; its logins end',
      { params: UserParams, body: PasswordReset },
      { 204: NoContent },
    ),
    async (request, reply) => {
      await accounts.resetPassword(request.params.name, request.body.newPassword, callerOf(request))
      return await reply.code(204).send()
    },
  )
  app.post(
    '/users/:name/unlock',
    route(
      'End the waiting time after wrong passwords',
      { params: UserParams, body: strictObject({}) },
      { 204: NoContent },
    ),
    async (request, reply) => {
      await accounts.unlock(request.params.name, callerOf(request))
      return await reply.code(204).send()
    },
  )
  app.post(
    '/users/:name/log-out',
    route('End all its logins', { params: UserParams, body: strictObject({}) }, { 204: NoContent }),
    async (request, reply) => {
      await accounts.logOut(request.params.name, callerOf(request))
      return await reply.code(204).send()
    },
  )
}

function accountTokenRoutes(app: App, accounts: Accounts, tokens: Tokens): void {
  app.get(
    '/users/:name/tokens',
    route('Their tokens, not the secrets', { params: UserParams }, { 200: TokenList }),
    async (request) => {
      const { name } = await accounts.show(request.params.name)
      return { tokens: await tokens.list(name) }
    },
  )
  app.delete(
    '/users/:name/tokens/:id',
    route('Revoke one of their tokens', { params: TokenParams }, { 204: NoContent }),
    async (request, reply) => {
      const { name } = await accounts.show(request.params.name)
      await revokeOf(accounts.deps.store, name, request.params.id, callerOf(request))
      return await reply.code(204).send()
    },
  )
}

function rolesRoute(app: App, accounts: Accounts): void {
  app.get('/roles', route('All roles', {}, { 200: RoleList }), async () => ({
    roles: await accounts.roles(),
  }))
}

function directoryRoutes(app: App, accounts: Accounts, directories: Directories): void {
  app.get(
    '/directories',
    route('The directories of the settings', {}, { 200: DirectoryList }),
    () => ({
      directories: directories.settings.map(({ name, type, urls, base }) => ({
        name,
        type,
        urls,
        base,
      })),
    }),
  )
  app.post(
    '/directories/:name/test',
    route(
      'What would happen at a login',
      { params: NameParams, body: DirectoryTestRequest },
      { 200: DirectoryTest },
    ),
    async (request) => {
      const { user, password } = request.body
      const result = await directories.test(request.params.name, user, password)
      await recordEvent(
        accounts.deps.store,
        callerOf(request),
        'directory.test',
        `directory:${request.params.name}`,
        { user, password: password === undefined ? 'not given' : 'given' },
        result.good ? 'ok' : 'refused',
      )
      return result
    },
  )
}
