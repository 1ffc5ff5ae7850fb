import type { User, UserCreate, UserPatch } from '../api/users.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { AccountRow } from '../store/tables.js'
import { mapInTurns } from '../turn.js'
import type { LoginLimits } from './login-limits.js'
import { nameKey, personName } from './names.js'
import { hashPassword } from './passwords.js'
import { endAll, endLogins } from './sessions.js'
import { siteRoleOf } from './verbs.js'

/** The roles of the site itself, and what they mean; any other name is free. */
export const BUILT_IN_ROLES = {
  admin: 'may everything',
  observer: 'looks at everything and changes nothing',
  user: 'everybody who is logged in has it',
} as const

export interface AccountsDeps {
  readonly store: Store
  readonly limits: LoginLimits
  /**
   * What an account that is deleted had goes to others. Answered by those who hand machines out;
   * `key`: of its name.
   */
  readonly releaseDesktops: (key: string, by: Actor) => Promise<void>
}

/** Accounts, as administrators see and change them. */
export class Accounts {
  constructor(readonly deps: AccountsDeps) {}

  async list(): Promise<User[]> {
    const rows = await this.deps.store
      .selectFrom('account')
      .selectAll()
      .orderBy('name_key')
      .execute()
    return await this.#toUsers(rows)
  }

  /** Throws `not_found`. */
  async show(name: string): Promise<User> {
    const [user] = await this.#toUsers([await requireAccount(this.deps.store, name)])
    if (!user) throw noSuchAccount(name)
    return user
  }

  async create(wish: UserCreate, by: Actor): Promise<User> {
    const name = personName(wish.name)
    const passwordHash = await hashPassword(wish.password)
    await inTransaction(this.deps.store, async (tx) => {
      const taken = await tx
        .selectFrom('account')
        .select(['name', 'source'])
        .where('name_key', '=', nameKey(name))
        .executeTakeFirst()
      if (taken) throw refusal('account_taken', { account: taken.name, source: taken.source })
      const roles = grantable(wish.roles ?? [])
      await tx
        .insertInto('account')
        .values({
          name,
          name_key: nameKey(name),
          source: 'local',
          subject: null,
          password_hash: passwordHash,
          display_name: wish.displayName ?? '',
          created_at: Date.now(),
          last_login_at: null,
        })
        .execute()
      for (const role of roles)
        await tx
          .insertInto('account_role')
          .values({ account: name, role, source: 'local' })
          .execute()
      await recordEvent(tx, by, 'account.create', `account:${name}`, {
        after: { source: 'local', roles },
      })
    })
    return await this.show(name)
  }

  /** Disabling ends all logins at once. Throws `last_administrator`. */
  async change(name: string, patch: UserPatch, by: Actor): Promise<User> {
    await inTransaction(this.deps.store, async (tx) => {
      const account = await requireAccount(tx, name)
      const before = {
        displayName: account.display_name,
        disabled: account.disabled === 1,
        roles: await rolesGivenHere(tx, account.name),
      }
      const after = {
        ...before,
        ...patch,
        ...(patch.roles ? { roles: grantable(patch.roles) } : {}),
      }
      await tx
        .updateTable('account')
        .set({ display_name: after.displayName, disabled: after.disabled ? 1 : 0 })
        .where('name', '=', account.name)
        .execute()
      await tx
        .deleteFrom('account_role')
        .where('account', '=', account.name)
        .where('source', '=', 'local')
        .execute()
      for (const role of after.roles)
        await tx
          .insertInto('account_role')
          .values({ account: account.name, role, source: 'local' })
          .execute()
      if (after.disabled) await endLogins(tx, account.name)
      await requireAdministrator(tx)
      await recordEvent(tx, by, 'account.change', `account:${account.name}`, { before, after })
    })
    return await this.show(name)
  }

  /** With its tokens, sessions and grants: who later gets the name begins with nothing. Throws `last_administrator`. */
  async remove(name: string, by: Actor): Promise<void> {
    await inTransaction(this.deps.store, async (tx) => {
      const account = await requireAccount(tx, name)
      const roles = await rolesGivenHere(tx, account.name)
      await tx.deleteFrom('account').where('name', '=', account.name).execute()
      await tx
        .deleteFrom('permission_grant')
        .where('subject_kind', '=', 'user')
        .where('subject_key', '=', account.name_key)
        .execute()
      await requireAdministrator(tx)
      await recordEvent(tx, by, 'account.remove', `account:${account.name}`, {
        before: { source: account.source, roles },
      })
    })
    await this.deps.limits.unlock(name)
    await this.deps.releaseDesktops(nameKey(name), by)
  }

  /** An administrator sets a new password; all logins end, and a lock is lifted. */
  async resetPassword(name: string, newPassword: string, by: Actor): Promise<void> {
    const passwordHash = await hashPassword(newPassword)
    await inTransaction(this.deps.store, async (tx) => {
      const account = await requireAccount(tx, name)
      if (account.source !== 'local')
        throw refusal('password_elsewhere', { account: account.name, source: account.source })
      await tx
        .updateTable('account')
        .set({ password_hash: passwordHash })
        .where('name', '=', account.name)
        .execute()
      const programs = await endAll(tx, account.name)
      await recordEvent(tx, by, 'account.password', `account:${account.name}`, { programs })
    })
    await this.deps.limits.unlock(name)
  }

  /** Lets somebody try again who has failed too often. */
  async unlock(name: string, by: Actor): Promise<void> {
    const account = await requireAccount(this.deps.store, name)
    if (await this.deps.limits.unlock(account.name))
      await recordEvent(this.deps.store, by, 'account.unlock', `account:${account.name}`)
  }

  async logOut(name: string, by: Actor): Promise<void> {
    await inTransaction(this.deps.store, async (tx) => {
      const account = await requireAccount(tx, name)
      const programs = await endAll(tx, account.name)
      await recordEvent(tx, by, 'account.log-out', `account:${account.name}`, { programs })
    })
  }

  /** Every role that is known: the built-in ones, those that somebody has, and those that a grant names. */
  async roles(): Promise<Array<{ role: string; meaning: string; users: number; grants: number }>> {
    const { store } = this.deps
    const had = await store
      .selectFrom('account_role')
      .select('role')
      .select((eb) => eb.fn.count<number>('account').distinct().as('users'))
      .groupBy('role')
      .execute()
    const granted = await store
      .selectFrom('permission_grant')
      .select('subject')
      .select((eb) => eb.fn.countAll<number>().as('grants'))
      .where('subject_kind', '=', 'role')
      .groupBy('subject')
      .execute()
    const names = [
      ...new Set([
        ...Object.keys(BUILT_IN_ROLES),
        ...had.map(({ role }) => role),
        ...granted.map(({ subject }) => subject),
      ]),
    ].sort()
    const meanings: Readonly<Record<string, string>> = BUILT_IN_ROLES
    return names.map((role) => ({
      role,
      meaning: meanings[role] ?? '',
      users: had.find((row) => row.role === role)?.users ?? 0,
      grants: granted.find((row) => row.subject === role)?.grants ?? 0,
    }))
  }

  async #toUsers(rows: readonly AccountRow[]): Promise<User[]> {
    const roles = await this.deps.store
      .selectFrom('account_role')
      .selectAll()
      .$if(rows.length === 1, (q) => q.where('account', '=', rows[0]?.name ?? ''))
      .orderBy('role')
      .execute()
    const blocked = await this.deps.limits.blocked()
    const instant = (ms: number | null | undefined): string | null =>
      ms === null || ms === undefined ? null : new Date(ms).toISOString()
    const rolesOf = new Map<string, typeof roles>()
    for (const role of roles)
      rolesOf.set(role.account, [...(rolesOf.get(role.account) ?? []), role])
    return await mapInTurns(rows, (row): User => {
      const own = rolesOf.get(row.name) ?? []
      return {
        name: row.name,
        displayName: row.display_name,
        source: row.source,
        role: siteRoleOf(own.map(({ role }) => role)),
        disabled: row.disabled === 1,
        roles: own.map(({ role, source }) => ({ role, source })),
        hasPassword: row.password_hash !== null,
        blockedUntil: instant(blocked.get(row.name_key)),
        createdAt: new Date(row.created_at).toISOString(),
        lastLoginAt: instant(row.last_login_at),
      }
    })
  }
}

/** Throws `not_found`. */
export async function requireAccount(queries: Queries, name: string): Promise<AccountRow> {
  const row = await queries
    .selectFrom('account')
    .selectAll()
    .where('name_key', '=', nameKey(name))
    .executeTakeFirst()
  if (!row) throw noSuchAccount(name)
  return row
}

function noSuchAccount(name: string): BrokerError {
  return refusal('account_unknown', { account: name })
}

async function rolesGivenHere(queries: Queries, account: string): Promise<string[]> {
  const rows = await queries
    .selectFrom('account_role')
    .select('role')
    .where('account', '=', account)
    .where('source', '=', 'local')
    .orderBy('role')
    .execute()
  return rows.map(({ role }) => role)
}

/** Everybody has `user` without being told. */
function grantable(roles: readonly string[]): string[] {
  return [...new Set(roles.map(nameKey))].filter((role) => role !== 'user').sort()
}

/**
 * At least one administrator must be able to log in when every directory is away. To be called
 * after the change, in its transaction.
 */
async function requireAdministrator(tx: Queries): Promise<void> {
  const left = await tx
    .selectFrom('account')
    .innerJoin('account_role', 'account_role.account', 'account.name')
    .select('account.name')
    .where('account_role.role', '=', 'admin')
    .where('account_role.source', '=', 'local')
    .where('account.source', '=', 'local')
    .where('disabled', '=', 0)
    .where('password_hash', 'is not', null)
    .executeTakeFirst()
  if (!left) throw refusal('last_administrator')
}
