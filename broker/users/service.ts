import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { hash, verify } from '@node-rs/argon2'
import type { Token } from '../api/users.js'
import type { Role } from '../api/users.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import type { Store } from '../store/open.js'
import { writePrivate } from '../store/private-file.js'

export interface Caller extends Actor { readonly role: Role, readonly token: string, readonly expiresAt: number | null }

const LOGIN_TOKEN_MS = 12 * 3_600_000
const LAST_USED_STEP_MS = 60_000
/** OWASP's floor for argon2id: 19 MiB, 2 passes, 1 lane. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
/** Verified for accounts that do not exist, so that an answer takes as long. */
const NOBODY = '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$3C7cSjIXyLjyN0lMJ9Bn1Gf7dRXnT0c2mRZ6y1mO3eA'

/** Local accounts and their bearer tokens. A token is kept as a hash only. */
export class Users {
  constructor (readonly store: Store) {}

  /** Makes the account `admin` when there is none yet; its random password goes into a file that only the broker's user may read. */
  async createFirstAdministrator (passwordFile: string): Promise<boolean> {
    const { count } = await this.store.selectFrom('account').select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow()
    if (count > 0) return false
    const password = randomBytes(18).toString('base64url')
    if (!existsSync(passwordFile)) writePrivate(passwordFile, `${password}\n`)
    await this.store.insertInto('account').values({ name: 'admin', password_hash: await hash(password, ARGON2), role: 'admin', created_at: Date.now() }).execute()
    writePrivate(passwordFile, `${password}\n`)
    return true
  }

  async login (name: string, password: string, address: string): Promise<{ token: string, expiresAt: string, role: Role }> {
    const account = await this.store.selectFrom('account').selectAll().where('name', '=', name).executeTakeFirst()
    const good = await verify(account?.password_hash ?? NOBODY, password).catch(() => false)
    const by = { actor: name.slice(0, 200), address }
    if (!account || !good) {
      await recordEvent(this.store, by, 'login', 'account', {}, 'refused')
      throw new BrokerError('unauthenticated', 'The name or the password is wrong.')
    }
    const expiresAt = Date.now() + LOGIN_TOKEN_MS
    const token = await this.#insertToken(name, `login ${new Date().toISOString()} ${randomBytes(2).toString('hex')}`, account.role, expiresAt)
    await recordEvent(this.store, by, 'login', `account:${name}`)
    return { token, expiresAt: new Date(expiresAt).toISOString(), role: account.role }
  }

  /** Whose token this is. Throws `unauthenticated`. */
  async authenticate (token: string, address: string): Promise<Caller> {
    const now = Date.now()
    const row = await this.store.selectFrom('token').selectAll().where('hash', '=', tokenHash(token)).executeTakeFirst()
    if (!row || (row.expires_at !== null && row.expires_at <= now)) throw new BrokerError('unauthenticated', 'The token is unknown or has expired: run "berth login".')
    if (row.last_used_at === null || now - row.last_used_at > LAST_USED_STEP_MS) await this.store.updateTable('token').set({ last_used_at: now }).where('hash', '=', row.hash).execute()
    return { actor: row.account, address, role: row.role, token: row.name, expiresAt: row.expires_at }
  }

  /** null: there is no such account. */
  async roleOf (name: string): Promise<Role | null> {
    const row = await this.store.selectFrom('account').select('role').where('name', '=', name).executeTakeFirst()
    return row?.role ?? null
  }

  async changePassword (by: Caller, oldPassword: string, newPassword: string): Promise<void> {
    const account = await this.store.selectFrom('account').selectAll().where('name', '=', by.actor).executeTakeFirstOrThrow()
    if (!await verify(account.password_hash, oldPassword)) throw new BrokerError('unauthenticated', 'The old password is wrong.')
    const passwordHash = await hash(newPassword, ARGON2)
    await this.store.transaction().execute(async (tx) => {
      await tx.updateTable('account').set({ password_hash: passwordHash }).where('name', '=', by.actor).execute()
      await tx.deleteFrom('token').where('account', '=', by.actor).where('name', 'like', 'login %').where('name', '!=', by.token).execute()
      await recordEvent(tx, by, 'account.password', `account:${by.actor}`)
    })
  }

  async createToken (by: Caller, wish: { name: string, role?: Role, validForMs?: number }): Promise<string> {
    const role = wish.role ?? by.role
    if (role === 'admin' && by.role !== 'admin') throw new BrokerError('forbidden', 'An observer cannot make a token that may more than he may.')
    const taken = await this.store.selectFrom('token').select('name').where('account', '=', by.actor).where('name', '=', wish.name).executeTakeFirst()
    if (taken) throw new BrokerError('name_taken', `There is a token "${wish.name}" already: revoke it or choose another name.`)
    const token = await this.#insertToken(by.actor, wish.name, role, wish.validForMs === undefined ? null : Date.now() + wish.validForMs)
    await recordEvent(this.store, by, 'token.create', `token:${wish.name}`, { role })
    return token
  }

  async listTokens (by: Caller): Promise<Token[]> {
    const rows = await this.store.selectFrom('token').selectAll().where('account', '=', by.actor).orderBy('created_at').execute()
    const instant = (ms: number): string => new Date(ms).toISOString()
    return rows.map((row) => ({ name: row.name, user: row.account, role: row.role, createdAt: instant(row.created_at), expiresAt: row.expires_at === null ? null : instant(row.expires_at), lastUsedAt: row.last_used_at === null ? null : instant(row.last_used_at) }))
  }

  async revokeToken (by: Caller, name: string): Promise<void> {
    const { numDeletedRows } = await this.store.deleteFrom('token').where('account', '=', by.actor).where('name', '=', name).executeTakeFirst()
    if (numDeletedRows === 0n) throw new BrokerError('not_found', `There is no token "${name}": "berth token list" shows all.`)
    await recordEvent(this.store, by, 'token.revoke', `token:${name}`)
  }

  /** Tokens that have expired are of no use to anybody. */
  async forgetExpired (): Promise<void> {
    await this.store.deleteFrom('token').where('expires_at', '<', Date.now()).execute()
  }

  async #insertToken (account: string, name: string, role: Role, expiresAt: number | null): Promise<string> {
    const token = `berth_${randomBytes(32).toString('base64url')}`
    await this.store.insertInto('token').values({ hash: tokenHash(token), account, name, role, created_at: Date.now(), expires_at: expiresAt, last_used_at: null }).execute()
    return token
  }
}

function tokenHash (token: string): string { return createHash('sha256').update(token).digest('hex') }
