import {
  type ObjectKind,
  type Scope,
  type SubjectKind,
  type Verb,
  VERBS,
} from '../api/permissions.js'

/**
 * What a role means on the whole site: admin may everything, observer reads everything, user is
 * anybody who is logged in.
 */
export type SiteRole = 'admin' | 'observer' | 'user'

/**
 * `key`: the name by which grants find a person (`nameKey`). `role` and `roles` are the account's;
 * `scopes` are the token's, null: all.
 */
export interface Person {
  readonly key: string
  readonly accountRole: SiteRole
  readonly roles: readonly string[]
  readonly scopes: readonly Scope[] | null
}

/** Who has the machine now. `pool`: the id of the pool it was claimed through; `user` is a key. */
export interface Holder {
  readonly user: string
  readonly pool: string | null
  readonly byAdministrator: boolean
}

/** What permissions depend on. `pools`: ids of the pools that a machine is a member of. */
export interface Facts {
  readonly id: string
  readonly name: string
  readonly pools: readonly string[]
  readonly holder: Holder | null
}
export interface ObjectOfGrants extends Facts {
  readonly kind: ObjectKind
}

export interface GrantOn {
  readonly objectKind: ObjectKind
  readonly objectId: string
  readonly subjectKind: SubjectKind
  readonly subject: string
  readonly verbs: readonly Verb[]
}

/** One reason for some verbs; `grant` is null when it is an assignment that an administrator made by hand. */
export interface Reason {
  readonly verbs: ReadonlySet<Verb>
  readonly grant: GrantOn | null
}

const ALL: ReadonlySet<Verb> = new Set(VERBS)
const BY_HAND: ReadonlySet<Verb> = new Set(['accessConsole', 'start', 'stop', 'reset', 'release'])
/** These count for every member of the pool, whoever has it: help desk and delegated administrators. */
const FOR_ALL_MEMBERS: readonly Verb[] = ['assign', 'takeConsole', 'accessConsole']

/** What verbs imply: admin and * every verb, takeConsole also accessConsole. */
export function expand(verbs: Iterable<Verb>): ReadonlySet<Verb> {
  const all = new Set(verbs)
  if (all.has('*') || all.has('admin')) return ALL
  if (all.has('takeConsole')) all.add('accessConsole')
  return all
}

/** The reasons of a person's account for each verb on a pool or machine; tokens and site roles are not looked at. */
export function reasonsOn(
  person: Pick<Person, 'key' | 'roles'>,
  object: ObjectOfGrants,
  grants: readonly GrantOn[],
): Reason[] {
  const mine = grants.filter((grant) => isFor(person, grant))
  const reasons: Reason[] = []
  if (object.kind === 'pool' || object.pools.length === 0)
    for (const grant of mine)
      if (grant.objectKind === object.kind && grant.objectId === object.id)
        reasons.push({ verbs: expand(grant.verbs), grant })
  return object.kind === 'pool' ? reasons : [...reasons, ...reasonsByPools(person, object, mine)]
}

/** What the pools of a machine give on it: all to who has it by that pool, and a part of it to the others. */
function reasonsByPools(
  person: Pick<Person, 'key'>,
  object: Facts,
  grants: readonly GrantOn[],
): Reason[] {
  const held = object.holder?.user === person.key ? object.holder : null
  const reasons: Reason[] = []
  for (const grant of grants) {
    if (grant.objectKind !== 'pool' || !object.pools.includes(grant.objectId)) continue
    const verbs = held?.pool === grant.objectId ? expand(grant.verbs) : onEveryMember(grant.verbs)
    if (verbs.size > 0) reasons.push({ verbs, grant })
  }
  if (held?.byAdministrator) reasons.push({ verbs: BY_HAND, grant: null })
  return reasons
}

function isFor({ key, roles }: Pick<Person, 'key' | 'roles'>, grant: GrantOn): boolean {
  const { subjectKind, subject } = grant
  if (subjectKind === 'user') return subject === key
  return subject === 'user' || roles.includes(subject)
}

function onEveryMember(granted: readonly Verb[]): ReadonlySet<Verb> {
  const verbs = expand(granted)
  if (verbs === ALL) return ALL
  const strong = granted.filter((verb) => verb === 'assign' || verb === 'takeConsole')
  return new Set([...expand(strong)].filter((verb) => FOR_ALL_MEMBERS.includes(verb)))
}

/**
 * What a person may do with a pool or machine, by the token in use: the union of the reasons,
 * bounded by the scopes. Default deny.
 */
export function verbsOn(
  person: Person,
  object: ObjectOfGrants,
  grants: readonly GrantOn[],
): ReadonlySet<Verb> {
  const verbs =
    person.accountRole === 'admin'
      ? ALL
      : new Set(reasonsOn(person, object, grants).flatMap((reason) => [...reason.verbs]))
  return new Set([...verbs].filter((verb) => inScope(person.scopes, verb)))
}

function inScope(scopes: readonly Scope[] | null, verb: Verb): boolean {
  if (scopes === null || scopes.includes('admin') || scopes.includes('*')) return true
  return (
    verb !== 'admin' &&
    verb !== '*' &&
    expand(scopes.filter((scope) => scope !== 'observe')).has(verb)
  )
}

/** A person sees what at least one verb of their account applies to, if the token may look or do something there. */
export function seesIt(
  person: Person,
  object: ObjectOfGrants,
  grants: readonly GrantOn[],
): boolean {
  if (siteRole(person) !== 'user' || verbsOn(person, object, grants).size > 0) return true
  return person.scopes?.includes('observe') === true && reasonsOn(person, object, grants).length > 0
}

/** The site role of this login: a token's scopes take away, and never add. */
export function siteRole({
  accountRole,
  scopes,
}: Pick<Person, 'accountRole' | 'scopes'>): SiteRole {
  const full = scopes === null || scopes.includes('admin')
  if (accountRole === 'admin' && full) return 'admin'
  return accountRole !== 'user' && (full || scopes.includes('observe')) ? 'observer' : 'user'
}

/** The site role of an account with these roles. */
export function siteRoleOf(roles: readonly string[]): SiteRole {
  return roles.includes('admin') ? 'admin' : roles.includes('observer') ? 'observer' : 'user'
}
