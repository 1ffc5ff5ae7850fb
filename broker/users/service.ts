import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Role } from '../api/users.js'
import { BERTH, recordEvent } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import type { Store } from '../store/open.js'
import { writePrivate } from '../store/private-file.js'
import type { Caller } from './caller.js'
import { nameKey } from './names.js'
import { hashPassword, isPassword } from './passwords.js'
import { Tokens } from './tokens.js'
import { callerFor } from './caller.js'

/** Who people are: logins, and what a login is worth. */
export class Users {
  readonly tokens: Tokens
  constructor (readonly store: Store) { this.tokens = new Tokens(store) }

  /** Makes the account `admin` when there is none yet; its random password goes into a file that only the broker's user may read. */
  async createFirstAdministrator (passwordFile: string): Promise<boolean> {
    const { count } = await this.store.selectFrom('account').select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow()
    if (count > 0) return false
    const password = randomBytes(18).toString('base64url')
    if (!existsSync(passwordFile)) writePrivate(passwordFile, `${password}\n`)
    const passwordHash = await hashPassword(password)
    await this.store.transaction().execute(async (tx) => {
      await tx.insertInto('account').values({ name: 'admin', name_key: 'admin', source: 'local', subject: null, password_hash: passwordHash, created_at: Date.now(), last_login_at: null }).execute()
      await tx.insertInto('account_role').values({ account: 'admin', role: 'admin', source: 'local' }).execute()
      await recordEvent(tx, BERTH, 'account.create', 'account:admin', { after: { roles: ['admin'] } })
    })
    writePrivate(passwordFile, `${password}\n`)
    return true
  }

  async login (name: string, password: string, address: string): Promise<{ token: string, expiresAt: string, role: Role }> {
    const account = await this.store.selectFrom('account').selectAll().where('name_key', '=', nameKey(name)).executeTakeFirst()
    const good = await isPassword(account?.password_hash, password)
    if (!account || !good || account.disabled === 1) {
      await recordEvent(this.store, { actor: name.slice(0, 200), address }, 'login', 'account', {}, 'refused')
      throw new BrokerError('unauthenticated', 'The name or the password is wrong.')
    }
    return await this.store.transaction().execute(async (tx) => {
      const { token, expiresAt } = await this.tokens.forLogin(tx, account.name)
      await tx.updateTable('account').set({ last_login_at: Date.now() }).where('name', '=', account.name).execute()
      await recordEvent(tx, { actor: account.name, address }, 'login', `account:${account.name}`)
      const { role } = await callerFor(tx, account, { address, token: '', scopes: null, expiresAt })
      return { token, expiresAt: new Date(expiresAt).toISOString(), role }
    })
  }

  /** Whose token this is. Throws `unauthenticated`. */
  async authenticate (token: string, address: string): Promise<Caller> {
    return await this.tokens.authenticate(token, address)
  }

  async changePassword (by: Caller, oldPassword: string, newPassword: string): Promise<void> {
    const account = await this.store.selectFrom('account').selectAll().where('name', '=', by.actor).executeTakeFirstOrThrow()
    if (!await isPassword(account.password_hash, oldPassword)) throw new BrokerError('unauthenticated', 'The old password is wrong.')
    const passwordHash = await hashPassword(newPassword)
    await this.store.transaction().execute(async (tx) => {
      await tx.updateTable('account').set({ password_hash: passwordHash }).where('name', '=', by.actor).execute()
      await tx.deleteFrom('token').where('account', '=', by.actor).where('kind', '=', 'login').where('name', '!=', by.token).execute()
      await recordEvent(tx, by, 'account.password', `account:${by.actor}`)
    })
  }

  /** Tokens that have expired are of no use to anybody. */
  async forgetExpired (): Promise<void> {
    await this.store.deleteFrom('token').where('expires_at', '<', Date.now()).execute()
  }
}
