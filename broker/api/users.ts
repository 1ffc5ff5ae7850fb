import { type Static, Type } from '@sinclair/typebox'
import { Instant, nullable, oneOf, strictObject } from './common.js'
import { PersonName, RoleName, Scope } from './permissions.js'

export const Role = oneOf(['admin', 'observer', 'user'] as const, {
  description:
    'admin may everything, observer looks at everything and changes nothing, user has what grants give them',
})
export type Role = Static<typeof Role>
const Password = Type.String({ minLength: 1, maxLength: 1024 })
export const NewPassword = Type.String({
  minLength: 12,
  maxLength: 1024,
  description: 'At least 12 characters',
})
export const LoginRequest = strictObject({ name: PersonName, password: Password })
export const LoginResult = strictObject({ token: Type.String(), expiresAt: Instant, role: Role })
export type LoginResult = Static<typeof LoginResult>
export const WhoAmI = strictObject({
  name: Type.String(),
  role: Role,
  roles: Type.Array(Type.String()),
  source: Type.String({
    description: 'local, or the directory or provider that the person comes from',
  }),
  token: Type.String({ description: 'The name of the token in use; empty in a browser' }),
  scopes: nullable(Type.Array(Scope)),
  expiresAt: nullable(Instant),
})
export type WhoAmI = Static<typeof WhoAmI>
export const PasswordChange = strictObject({ oldPassword: Password, newPassword: NewPassword })

const TokenName = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._ @-]{0,62}$',
  description: 'Letters, digits, space and . _ @ -; starts with a letter or digit; at most 63',
})
const Scopes = Type.Array(Scope, {
  minItems: 1,
  uniqueItems: true,
  description: 'The most that the token may; absent: all that its account may',
})
/** validForMs: absent = as long as the setting token-lifetime allows. */
export const TokenCreate = strictObject({
  name: TokenName,
  scopes: Type.Optional(Scopes),
  validForMs: Type.Optional(Type.Integer({ minimum: 1000, maximum: 315360000000 })),
})
export type TokenCreate = Static<typeof TokenCreate>
export const Token = strictObject({
  id: Type.String({ description: 'To revoke it by; it is no part of the secret' }),
  name: Type.String(),
  kind: oneOf(['login', 'program'] as const, {
    description: 'login: of somebody who logged in with it; program: made for a script',
  }),
  user: Type.String(),
  scopes: nullable(Type.Array(Scope)),
  createdAt: Instant,
  expiresAt: nullable(Instant),
  lastUsedAt: nullable(Instant),
})
export type Token = Static<typeof Token>
export const TokenCreated = strictObject({
  token: Type.String({ description: 'Shown once' }),
  name: Type.String(),
})
export const TokenParams = strictObject({
  name: PersonName,
  id: Type.String({ minLength: 1, maxLength: 100, description: 'Its id or its name' }),
})
export const TokenList = strictObject({ tokens: Type.Array(Token) })

export const User = strictObject({
  name: PersonName,
  displayName: Type.String(),
  source: Type.String(),
  role: Role,
  disabled: Type.Boolean(),
  roles: Type.Array(
    strictObject({
      role: Type.String(),
      source: Type.String({
        description: 'local: given by an administrator; else the directory that says so',
      }),
    }),
  ),
  hasPassword: Type.Boolean(),
  blockedUntil: nullable(Instant),
  createdAt: Instant,
  lastLoginAt: nullable(Instant),
})
export type User = Static<typeof User>
export const UserList = strictObject({ users: Type.Array(User) })
const DisplayName = Type.String({ maxLength: 200 })
const Roles = Type.Array(RoleName, { maxItems: 100, uniqueItems: true })
export const UserCreate = strictObject({
  name: PersonName,
  displayName: Type.Optional(DisplayName),
  password: NewPassword,
  roles: Type.Optional(Roles),
})
export type UserCreate = Static<typeof UserCreate>
/** `roles` are those given here; what a directory says is not touched. */
export const UserPatch = strictObject(
  {
    displayName: Type.Optional(DisplayName),
    disabled: Type.Optional(Type.Boolean()),
    roles: Type.Optional(Roles),
  },
  { minProperties: 1 },
)
export type UserPatch = Static<typeof UserPatch>
export const PasswordReset = strictObject({ newPassword: NewPassword })
export const UserParams = strictObject({ name: PersonName })
export const RoleList = strictObject({
  roles: Type.Array(
    strictObject({
      role: Type.String(),
      meaning: Type.String(),
      users: Type.Integer(),
      grants: Type.Integer(),
    }),
  ),
})

/**
 * `csrf` goes into the header x-berth-csrf of everything that changes something. `mark`: of the
 * changes that were told by now, so that `GET /live?after=` misses none of what is asked for next.
 */
export const Session = strictObject({
  name: Type.String(),
  displayName: Type.String(),
  role: Role,
  roles: Type.Array(Type.String()),
  source: Type.String(),
  csrf: Type.String(),
  expiresAt: nullable(Instant),
  mark: Type.String(),
})
export type Session = Static<typeof Session>
export const SessionEnd = strictObject({
  goTo: nullable(
    Type.String({
      description: 'Where to send the browser to end the session at the provider too',
    }),
  ),
})
export const ProviderParams = strictObject({
  provider: Type.String({ minLength: 1, maxLength: 63 }),
})
export const LoginProviders = strictObject({
  password: Type.Boolean(),
  providers: Type.Array(strictObject({ name: Type.String(), title: Type.String() })),
})
export type LoginProviders = Static<typeof LoginProviders>
export const ReturnQuery = strictObject({
  returnTo: Type.Optional(Type.String({ maxLength: 2000, description: 'A path of this broker' })),
})
export const DeviceLoginBegun = strictObject({
  userCode: Type.String(),
  verificationUri: Type.String(),
  verificationUriComplete: nullable(Type.String()),
  expiresAt: Instant,
  intervalMs: Type.Integer({ description: 'Ask no more often than this' }),
  handle: Type.String({ description: 'A secret: who has it gets the login' }),
})
export const DeviceLoginPoll = strictObject({
  handle: Type.String({ minLength: 1, maxLength: 100 }),
})
/** `login` is null while nobody has confirmed it. */
export const DeviceLoginPolled = strictObject({
  login: nullable(
    strictObject({ name: Type.String(), token: Type.String(), expiresAt: Instant, role: Role }),
  ),
})

export const Directory = strictObject({
  name: Type.String(),
  type: Type.String(),
  urls: Type.Array(Type.String()),
  base: Type.String(),
})
export type Directory = Static<typeof Directory>
export const DirectoryList = strictObject({ directories: Type.Array(Directory) })
/** Without a password it is not tried. */
export const DirectoryTestRequest = strictObject({
  user: PersonName,
  password: Type.Optional(Password),
})
export const DirectoryTest = strictObject({
  good: Type.Boolean({ description: 'The person would get in' }),
  steps: Type.Array(strictObject({ step: Type.String(), said: Type.String() })),
  name: nullable(Type.String()),
  dn: nullable(Type.String()),
  groups: Type.Array(Type.String()),
  roles: Type.Array(Type.String()),
})
export type DirectoryTest = Static<typeof DirectoryTest>

/** What a login with a provider needs, step by step. */
export const ProviderTest = strictObject({
  good: Type.Boolean({ description: 'A login would work, as far as it depends on the provider' }),
  steps: Type.Array(
    strictObject({ step: Type.String(), good: Type.Boolean(), said: Type.String() }),
  ),
})
export type ProviderTest = Static<typeof ProviderTest>

export const AuditEvent = strictObject({
  id: Type.Integer(),
  at: Instant,
  actor: Type.String(),
  address: Type.String(),
  action: Type.String(),
  object: Type.String(),
  result: Type.String(),
  detail: Type.Unknown(),
  hash: Type.String({ description: 'SHA-256 over the hash of the event before and this one' }),
})
export type AuditEvent = Static<typeof AuditEvent>
export const AuditEventList = strictObject({ events: Type.Array(AuditEvent) })
export type AuditEventList = Static<typeof AuditEventList>
const Part = Type.String({
  minLength: 1,
  maxLength: 500,
  description: 'The whole text, or a beginning and a star',
})
const Moment = Type.String({
  pattern: '^\\d{4}-\\d\\d-\\d\\d(T\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,9})?)?(Z|[+-]\\d\\d:\\d\\d))?$',
  description: 'RFC 3339, or a day (UTC)',
})
const filter = {
  actor: Type.Optional(Part),
  object: Type.Optional(Part),
  action: Type.Optional(Part),
  since: Type.Optional(Moment),
  until: Type.Optional(Moment),
}
export const AuditEventFilter = strictObject(filter)
export type AuditEventFilter = Static<typeof AuditEventFilter>
export const AuditEventQuery = strictObject({
  ...filter,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  before: Type.Optional(Type.Integer({ minimum: 1 })),
})
export type AuditEventQuery = Static<typeof AuditEventQuery>
export const AuditVerify = strictObject({
  head: Type.Optional(
    Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'A hash that was seen earlier and must still be in the chain',
    }),
  ),
})
export const AuditVerified = strictObject({
  good: Type.Boolean(),
  events: Type.Integer({ description: 'Events whose hash was found right' }),
  head: nullable(strictObject({ id: Type.Integer(), hash: Type.String() })),
  fault: nullable(
    strictObject({
      id: Type.Integer({
        description: 'The first event that is not as it was written; 0: no single one',
      }),
      message: Type.String(),
    }),
  ),
})
export type AuditVerified = Static<typeof AuditVerified>
