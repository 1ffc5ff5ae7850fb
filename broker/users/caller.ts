import type { Actor } from '../audit/store.js'
import type { Queries } from '../store/open.js'
import type { AccountRow } from '../store/tables.js'
import { type SiteRole, siteRole, siteRoleOf, type Person } from './verbs.js'

/**
 * Who asks, as an account and by which login. `role` is the site role of this login; `token` is
 * empty in a browser. `login` names the login for what is to end with it; absent: none that could
 * end, such as the word of a proxy.
 */
export interface Caller extends Actor, Person {
  readonly role: SiteRole
  readonly source: string
  readonly token: string
  readonly expiresAt: number | null
  readonly login?: string
}

/** How the caller showed who they are. */
export type Login = Pick<Caller, 'address' | 'scopes' | 'token' | 'expiresAt' | 'login'>

export async function rolesOf(queries: Queries, account: string): Promise<string[]> {
  const rows = await queries
    .selectFrom('account_role')
    .select('role')
    .distinct()
    .where('account', '=', account)
    .orderBy('role')
    .execute()
  return rows.map(({ role }) => role)
}

/** The caller with the roles that the account has now. */
export async function callerFor(
  queries: Queries,
  account: Pick<AccountRow, 'name' | 'name_key' | 'source'>,
  login: Login,
): Promise<Caller> {
  const roles = await rolesOf(queries, account.name)
  const accountRole = siteRoleOf(roles)
  return {
    actor: account.name,
    key: account.name_key,
    source: account.source,
    roles,
    accountRole,
    ...login,
    role: siteRole({ accountRole, scopes: login.scopes }),
  }
}
