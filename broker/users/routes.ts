import { Type } from '@sinclair/typebox'
import { strictObject } from '../api/common.js'
import { AuditEventList, AuditEventQuery, LoginRequest, LoginResult, PasswordChange, TokenCreate, TokenCreated, TokenList, WhoAmI } from '../api/users.js'
import { listEvents } from '../audit/store.js'
import { type App, callerOf, NoContent, route } from '../http.js'
import type { Users } from './service.js'

/** Argon2 costs the broker more than the guesser; so many tries a minute are enough for a person. */
const LOGINS_A_MINUTE = 10

export function userRoutes (users: Users) {
  return (app: App): void => {
    const login = route('public', 'A token for a name and a password', { body: LoginRequest }, { 200: LoginResult })
    app.post('/login', { ...login, config: { ...login.config, rateLimit: { max: LOGINS_A_MINUTE, timeWindow: 60_000 } } }, async (request) => await users.login(request.body.name, request.body.password, request.ip))
    app.get('/whoami', route('observer', 'Who this token is', {}, { 200: WhoAmI }), async (request) => {
      const by = callerOf(request)
      return { name: by.actor, role: by.role, token: by.token, expiresAt: by.expiresAt === null ? null : new Date(by.expiresAt).toISOString() }
    })
    app.post('/password', route('observer', 'Change one\'s own password; other logins end', { body: PasswordChange }, { 204: NoContent }), async (request, reply) => {
      await users.changePassword(callerOf(request), request.body.oldPassword, request.body.newPassword)
      return await reply.code(204).send()
    })
    app.get('/tokens', route('observer', 'One\'s own tokens', {}, { 200: TokenList }), async (request) => ({ tokens: await users.listTokens(callerOf(request)) }))
    app.post('/tokens', route('observer', 'A token for a program', { body: TokenCreate }, { 201: TokenCreated }), async (request, reply) => await reply.code(201).send({ token: await users.createToken(callerOf(request), request.body), name: request.body.name }))
    app.delete('/tokens/:name', route('observer', 'Revoke a token', { params: strictObject({ name: Type.String({ maxLength: 100 }) }) }, { 204: NoContent }), async (request, reply) => {
      await users.revokeToken(callerOf(request), request.params.name)
      return await reply.code(204).send()
    })
    app.get('/events', route('observer', 'The audit log, newest first', { querystring: AuditEventQuery }, { 200: AuditEventList }), async (request) => ({ events: await listEvents(users.store, request.query) }))
  }
}
