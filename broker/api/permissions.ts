import { Kind, type Static, Type, TypeRegistry } from '@sinclair/typebox'
import { oneOf, strictObject } from './common.js'

/** admin and *: all of them. takeConsole: accessConsole too. */
export const VERBS = [
  'start',
  'stop',
  'reset',
  'accessConsole',
  'takeConsole',
  'release',
  'extend',
  'rebuild',
  'assign',
  'admin',
  '*',
] as const
export const Verb = oneOf(VERBS)
export type Verb = Static<typeof Verb>
export const OBJECT_KINDS = ['pool', 'machine'] as const
export const ObjectKind = oneOf(OBJECT_KINDS)
export type ObjectKind = Static<typeof ObjectKind>
export const SUBJECT_KINDS = ['user', 'role'] as const
export const SubjectKind = oneOf(SUBJECT_KINDS)
export type SubjectKind = Static<typeof SubjectKind>

/**
 * What a token may at most: admin, all that its account may; observe, what its account may read; a
 * verb, that verb where its account has it.
 */
export const SCOPES = ['admin', 'observe', ...VERBS.filter((verb) => verb !== 'admin')] as const
export const Scope = oneOf(SCOPES)
export type Scope = Static<typeof Scope>

/** The name of a person: here, in a directory or at a provider. */
export const PersonName = Type.String({
  pattern: '^[^\\u0000-\\u001f\\u007f]{1,400}$',
  description: 'The name of a person: up to 200 characters, no control characters',
})

/**
 * Letters of any script, as in the names of groups elsewhere; nothing that is not seen, or that
 * could be taken for a separator.
 */
const ROLE_NAME = /^[\p{L}\p{N}]([\p{L}\p{M}\p{N} ._/@:+&()-]{0,61}[\p{L}\p{M}\p{N}.)+])?$/u
TypeRegistry.Set('RoleName', (_schema, value) => typeof value === 'string' && ROLE_NAME.test(value))
export const RoleName = Type.Unsafe<string>({
  [Kind]: 'RoleName',
  type: 'string',
  description:
    'Letters, digits, space and . _ - / @ : + & ( ); starts with a letter or digit; at most ' +
    '63. Case does not matter: it is kept in small letters',
})
const ObjectName = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
  description: 'The name of a pool or machine',
})
const place = {
  kind: ObjectKind,
  object: ObjectName,
  subjectKind: SubjectKind,
  subject: PersonName,
}

export const Grant = strictObject({ ...place, verbs: Type.Array(Verb) })
export type Grant = Static<typeof Grant>
export const GrantList = strictObject({ grants: Type.Array(Grant) })
export const GrantSet = strictObject({
  ...place,
  verbs: Type.Array(Verb, { minItems: 1, uniqueItems: true }),
})
export type GrantSet = Static<typeof GrantSet>
export const GrantPlace = strictObject(place)
export type GrantPlace = Static<typeof GrantPlace>
export const GrantQuery = strictObject({
  kind: Type.Optional(ObjectKind),
  object: Type.Optional(ObjectName),
  subjectKind: Type.Optional(SubjectKind),
  subject: Type.Optional(PersonName),
})
export type GrantQuery = Static<typeof GrantQuery>

/** What one person may do, and why. */
export const Permissions = strictObject({
  name: PersonName,
  role: oneOf(['admin', 'observer', 'user'] as const),
  roles: Type.Array(Type.String()),
  objects: Type.Array(
    strictObject({
      kind: ObjectKind,
      object: ObjectName,
      verbs: Type.Array(Verb),
      because: Type.Array(Type.String({ description: 'One sentence for each reason' })),
    }),
  ),
})
export type Permissions = Static<typeof Permissions>
