import type { Queries } from '../store/open.js'
import { nameKey } from './names.js'
import { toGrantOn } from './permissions.js'
import { type GrantOn, siteRoleOf, type Person } from './verbs.js'

/** Names in one question; SQLite takes 32,766. */
const AT_ONCE = 500

/**
 * People by the keys of their names, with the roles that they have now; who is disabled or unknown
 * is missing. Two questions for some hundreds of them.
 */
export async function peopleNamed(
  queries: Queries,
  names: readonly string[],
): Promise<ReadonlyMap<string, Person>> {
  const keys = [...new Set(names.map(nameKey))]
  const people = new Map<string, Person>()
  for (let from = 0; from < keys.length; from += AT_ONCE)
    await readSome(queries, keys.slice(from, from + AT_ONCE), people)
  return people
}

async function readSome(
  queries: Queries,
  keys: readonly string[],
  people: Map<string, Person>,
): Promise<void> {
  const accounts = await queries
    .selectFrom('account')
    .select(['name', 'name_key'])
    .where('name_key', 'in', [...keys])
    .where('disabled', '=', 0)
    .execute()
  const given = await queries
    .selectFrom('account_role')
    .innerJoin('account', 'account.name', 'account_role.account')
    .select(['account', 'role'])
    .distinct()
    .where('name_key', 'in', [...keys])
    .execute()
  const rolesOf = grouped(given, ({ account }) => account)
  for (const { name, name_key: key } of accounts) {
    const roles = (rolesOf.get(name) ?? []).map(({ role }) => role).sort()
    people.set(key, { key, roles, accountRole: siteRoleOf(roles), scopes: null })
  }
}

/** Every grant there is, read once; gives those that name a person, one of their roles, or everybody. */
export async function grantsOfAll(
  queries: Queries,
): Promise<(person: Pick<Person, 'key' | 'roles'>) => GrantOn[]> {
  const grants = (await queries.selectFrom('permission_grant').selectAll().execute()).map(toGrantOn)
  const bySubject = grouped(grants, ({ subjectKind, subject }) => `${subjectKind} ${subject}`)
  return ({ key, roles }) =>
    [`user ${key}`, ...new Set(['user', ...roles].map((role) => `role ${role}`))].flatMap(
      (subject) => bySubject.get(subject) ?? [],
    )
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group) group.push(item)
    else groups.set(keyOf(item), [item])
  }
  return groups
}
