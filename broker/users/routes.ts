import { Type } from '@sinclair/typebox'
import { strictObject } from '../api/common.js'
import {
  LoginRequest,
  LoginResult,
  PasswordChange,
  TokenCreate,
  TokenCreated,
  TokenList,
  WhoAmI,
} from '../api/users.js'
import { type App, callerOf, NoContent, route } from '../http.js'
import type { Caller } from './caller.js'
import type { Users } from './service.js'

export function userRoutes(users: Users) {
  return (app: App): void => {
    loginRoutes(app, users)
    tokenRoutes(app, users)
  }
}

function loginRoutes(app: App, users: Users): void {
  app.post(
    '/login',
    route('A token for a name and a password', { body: LoginRequest }, { 200: LoginResult }),
    async (request) => await users.login(request.body.name, request.body.password, request.ip),
  )
  app.get('/whoami', route('Who this token is', {}, { 200: WhoAmI }), (request) =>
    whoAmI(callerOf(request)),
  )
  app.post(
    '/password',
    route(
      "Change the caller's password; other logins end",
      { body: PasswordChange },
      { 204: NoContent },
    ),
    async (request, reply) => {
      await users.changePassword(
        callerOf(request),
        request.body.oldPassword,
        request.body.newPassword,
      )
      return await reply.code(204).send()
    },
  )
}

function tokenRoutes(app: App, users: Users): void {
  app.get('/tokens', route("The caller's tokens", {}, { 200: TokenList }), async (request) => ({
    tokens: await users.tokens.list(callerOf(request).actor),
  }))
  app.post(
    '/tokens',
    route('A token for a program', { body: TokenCreate }, { 201: TokenCreated }),
    async (request, reply) =>
      await reply.code(201).send({
        token: await users.tokens.create(callerOf(request), request.body),
        name: request.body.name,
      }),
  )
  app.delete(
    '/tokens/:name',
    route(
      'Revoke a token',
      { params: strictObject({ name: Type.String({ maxLength: 100 }) }) },
      { 204: NoContent },
    ),
    async (request, reply) => {
      await users.tokens.revoke(callerOf(request), request.params.name)
      return await reply.code(204).send()
    },
  )
}

function whoAmI(by: Caller): WhoAmI {
  return {
    name: by.actor,
    role: by.role,
    roles: [...by.roles],
    source: by.source,
    token: by.token,
    scopes: by.scopes === null ? null : [...by.scopes],
    expiresAt: by.expiresAt === null ? null : new Date(by.expiresAt).toISOString(),
  }
}
