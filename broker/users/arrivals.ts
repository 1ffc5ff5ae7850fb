import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Queries } from '../store/open.js'
import type { AccountRow } from '../store/tables.js'
import { nameKey, personName } from './names.js'

/**
 * A person of whom a directory, a provider or a proxy (`source`) has made sure. `subject`: a name
 * for ever, where the source has one.
 */
export interface Arrival {
  readonly source: string
  readonly name: string
  readonly subject: string | null
  readonly displayName: string
  readonly roles: readonly string[]
  /** Why there may be more roles than these, so that none is taken away; null when the source has told all. */
  readonly missing: string | null
}

/**
 * The roles that these groups give, in small letters. A group is named by its name or by its DN;
 * case does not matter. Pure.
 */
export function rolesOfGroups(
  groups: readonly string[],
  map: Readonly<Record<string, readonly string[]>>,
): string[] {
  const mine = new Set(groups.map((group) => group.toLowerCase()))
  return [
    ...new Set(
      Object.entries(map)
        .filter(([group]) => mine.has(group.toLowerCase()))
        .flatMap(([, roles]) => roles.map(nameKey)),
    ),
  ].sort()
}

/**
 * The account of somebody who comes from elsewhere; made at the first time, and given the roles
 * that the source says now; where it could not say all, none is taken away. An account of the same
 * name from another source, here or there, is never taken over: throws `forbidden`, as for a
 * disabled one.
 */
export async function arrive(tx: Queries, person: Arrival, address: string): Promise<AccountRow> {
  const account = (await findAccount(tx, person)) ?? (await makeAccount(tx, person, address))
  if (account.disabled === 1) throw refusal('account_disabled', { account: account.name })
  await refreshRoles(tx, account, person, { actor: account.name, address })
  if (account.display_name !== person.displayName)
    await tx
      .updateTable('account')
      .set({ display_name: person.displayName })
      .where('name', '=', account.name)
      .execute()
  return account
}

async function findAccount(tx: Queries, person: Arrival): Promise<AccountRow | undefined> {
  if (person.subject !== null) {
    const same = await tx
      .selectFrom('account')
      .selectAll()
      .where('source', '=', person.source)
      .where('subject', '=', person.subject)
      .executeTakeFirst()
    if (same) return same
  }
  const named = await tx
    .selectFrom('account')
    .selectAll()
    .where('name_key', '=', nameKey(personName(person.name)))
    .executeTakeFirst()
  if (named && (named.source !== person.source || named.subject !== person.subject)) {
    throw named.source === person.source
      ? refusal('account_of_other_person', { account: named.name })
      : refusal('account_of_other_source', { account: named.name, source: named.source })
  }
  return named
}

async function makeAccount(tx: Queries, person: Arrival, address: string): Promise<AccountRow> {
  const name = personName(person.name)
  await tx
    .insertInto('account')
    .values({
      name,
      name_key: nameKey(name),
      source: person.source,
      subject: person.subject,
      password_hash: null,
      display_name: person.displayName,
      created_at: Date.now(),
      last_login_at: null,
    })
    .execute()
  await recordEvent(tx, { actor: name, address }, 'account.create', `account:${name}`, {
    after: { source: person.source },
  })
  return await tx
    .selectFrom('account')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
}

async function refreshRoles(
  tx: Queries,
  account: AccountRow,
  person: Arrival,
  by: Actor,
): Promise<void> {
  const rows = await tx
    .selectFrom('account_role')
    .select('role')
    .where('account', '=', account.name)
    .where('source', '=', person.source)
    .orderBy('role')
    .execute()
  const before = rows.map(({ role }) => role)
  const kept = person.missing === null ? [] : before
  const after = [...new Set([...kept, ...person.roles])].sort()
  if (before.join() === after.join()) return
  await tx
    .deleteFrom('account_role')
    .where('account', '=', account.name)
    .where('source', '=', person.source)
    .execute()
  for (const role of after)
    await tx
      .insertInto('account_role')
      .values({ account: account.name, role, source: person.source })
      .execute()
  await recordEvent(tx, by, 'account.roles', `account:${account.name}`, {
    source: person.source,
    before,
    after,
  })
}
