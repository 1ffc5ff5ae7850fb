import type { WriteKind } from '../store/written-tables.js'

/**
 * Writes that may take from somebody what they have open: a permission, an account, a role, a
 * login, or the pool by which they had it. A desktop that is given back or taken says so itself,
 * and what only adds takes nothing away.
 */
const TAKE_AWAY: Readonly<Record<string, readonly WriteKind[]>> = {
  permission_grant: ['update', 'delete', 'insert'], // a grant of fewer verbs replaces the one before
  account: ['update', 'delete'],
  account_role: ['update', 'delete'],
  token: ['update', 'delete'],
  web_session: ['update', 'delete'],
  pool: ['delete'],
  pool_member: ['delete'],
}

/** Whether what is open has to be checked after this write. */
export function mayTakeAway(table: string, kind: WriteKind): boolean {
  return TAKE_AWAY[table]?.includes(kind) === true
}
