import { type Permissions, VERBS } from '../../broker/api/permissions.js'
import type { User } from '../../broker/api/users.js'
import type { Invocation } from '../invocation.js'
import { type Column, fieldsOf, tableOf } from '../output.js'

export const USERS: ReadonlyArray<Column<User>> = [
  ['NAME', (it) => it.name],
  ['ROLE', (it) => it.role],
  ['ROLES', (it) => it.roles.map(({ role }) => role).join(',')],
  ['FROM', (it) => it.source],
  [
    'STATE',
    (it) =>
      it.disabled
        ? 'disabled'
        : it.blockedUntil === null
          ? 'ok'
          : `blocked until ${it.blockedUntil}`,
  ],
  ['LAST LOGIN', (it) => it.lastLoginAt ?? 'never'],
]
const FIELDS: ReadonlyArray<Column<User>> = [
  ['name', (it) => it.name],
  ['display name', (it) => it.displayName],
  ['role', (it) => it.role],
  ['roles', (it) => it.roles.map(({ role, source }) => `${role} (${source})`).join(', ')],
  ['from', (it) => it.source],
  ['disabled', (it) => (it.disabled ? 'yes' : 'no')],
  ['blocked until', (it) => it.blockedUntil],
  ['created', (it) => it.createdAt],
  ['last login', (it) => it.lastLoginAt ?? 'never'],
]

export function showUser(invocation: Invocation, account: User): void {
  invocation.output.show(account, () => fieldsOf(FIELDS, account))
}

export function showPermissions(invocation: Invocation, permissions: Permissions): void {
  const all =
    permissions.role === 'admin'
      ? 'An administrator: may everything.\n'
      : permissions.role === 'observer'
        ? 'An observer: sees everything.\n'
        : ''
  const rows = permissions.objects.flatMap((object) =>
    object.because.map((because, index) => ({
      object: index === 0 ? `${object.kind}:${object.object}` : '',
      verbs:
        index === 0 ? (object.verbs.length === VERBS.length ? 'all' : object.verbs.join(',')) : '',
      because,
    })),
  )
  invocation.output.show(
    permissions,
    () =>
      `${all}${tableOf(
        [
          ['OBJECT', (it) => it.object],
          ['MAY', (it) => it.verbs],
          ['BECAUSE', (it) => it.because],
        ],
        rows,
      )}`,
  )
}
