import { type Static, Type } from '@sinclair/typebox'
import { Instant, nullable, oneOf, strictObject } from './common.js'

export const Role = oneOf(['admin', 'observer'] as const, { description: 'observer may look at everything and change nothing' })
export type Role = Static<typeof Role>
export const LoginRequest = strictObject({ name: Type.String({ minLength: 1, maxLength: 200 }), password: Type.String({ minLength: 1, maxLength: 1024 }) })
export const LoginResult = strictObject({ token: Type.String(), expiresAt: Instant, role: Role })
export type LoginResult = Static<typeof LoginResult>
export const WhoAmI = strictObject({ name: Type.String(), role: Role, token: Type.String({ description: 'The name of the token in use' }), expiresAt: nullable(Instant) })
export const PasswordChange = strictObject({ oldPassword: Type.String({ minLength: 1, maxLength: 1024 }), newPassword: Type.String({ minLength: 12, maxLength: 1024 }) })
/** validForMs: absent = it does not expire. */
export const TokenCreate = strictObject({ name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._ @-]{0,62}$' }), role: Type.Optional(Role), validForMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: 315360000000 })) })
export const Token = strictObject({ name: Type.String(), user: Type.String(), role: Role, createdAt: Instant, expiresAt: nullable(Instant), lastUsedAt: nullable(Instant) })
export type Token = Static<typeof Token>
export const TokenCreated = strictObject({ token: Type.String({ description: 'Shown once' }), name: Type.String() })
export const TokenList = strictObject({ tokens: Type.Array(Token) })

export const AuditEvent = strictObject({ id: Type.Integer(), at: Instant, actor: Type.String(), address: Type.String(), action: Type.String(), object: Type.String(), result: Type.String(), detail: Type.Unknown() })
export const AuditEventList = strictObject({ events: Type.Array(AuditEvent) })
export const AuditEventQuery = strictObject({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })), before: Type.Optional(Type.Integer({ minimum: 1 })) })
