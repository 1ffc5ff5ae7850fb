import { createHash, randomBytes } from 'node:crypto'
import { refusal } from '../errors/broker-error.js'
import type { Queries, Store } from '../store/open.js'
import { type Caller, callerFor } from './caller.js'
import { secretHash } from './tokens.js'

export interface SessionLimits {
  readonly sessionIdleMs: number
  readonly sessionLengthMs: number
}

/** How exactly the time of the last use is kept. */
const SEEN_STEP_MS = 30_000

/** Logins of browsers. The cookie's secret is kept as a hash only. */
export class Sessions {
  constructor(
    readonly store: Store,
    readonly limits: SessionLimits,
    readonly now: () => number,
  ) {}

  /** `provider`: 'password', or the provider that has made sure who it is. */
  async begin(
    queries: Queries,
    account: string,
    provider: string,
    address: string,
  ): Promise<{ secret: string; expiresAt: number }> {
    const secret = randomBytes(32).toString('base64url')
    const now = Date.now()
    const expiresAt = now + this.limits.sessionLengthMs
    await queries
      .insertInto('web_session')
      .values({
        hash: secretHash(secret),
        account,
        provider,
        address,
        created_at: now,
        seen_at: now,
        expires_at: expiresAt,
      })
      .execute()
    return { secret, expiresAt }
  }

  /**
   * Whose session this is, with what the account may now. `inBackground`: nobody did anything, so
   * it does not count as use. Throws `unauthenticated`.
   */
  async authenticate(secret: string, address: string, inBackground = false): Promise<Caller> {
    const now = this.now()
    const row = await this.store
      .selectFrom('web_session')
      .innerJoin('account', 'account.name', 'web_session.account')
      .where('hash', '=', secretHash(secret))
      .where('disabled', '=', 0)
      .select(['hash', 'seen_at', 'expires_at', 'account.name', 'name_key', 'source'])
      .executeTakeFirst()
    if (!row || row.expires_at <= now || row.seen_at + this.limits.sessionIdleMs <= now)
      throw refusal('session_ended')
    if (!inBackground && now - row.seen_at > Math.min(SEEN_STEP_MS, this.limits.sessionIdleMs / 4))
      await this.store
        .updateTable('web_session')
        .set({ seen_at: now })
        .where('hash', '=', row.hash)
        .execute()
    return await callerFor(this.store, row, {
      address,
      token: '',
      scopes: null,
      expiresAt: row.expires_at,
      login: `session:${row.hash}`,
    })
  }

  /**
   * Whether a caller's login goes on. What asks this is open because of it, so that a browser's
   * session counts as used.
   */
  async lives(login: string): Promise<boolean> {
    const [kind, hash = ''] = login.split(':')
    const now = this.now()
    if (kind === 'token') {
      const row = await this.store
        .selectFrom('token')
        .select('expires_at')
        .where('hash', '=', hash)
        .executeTakeFirst()
      return row !== undefined && (row.expires_at === null || row.expires_at > now)
    }
    const { numUpdatedRows } = await this.store
      .updateTable('web_session')
      .set({ seen_at: now })
      .where('hash', '=', hash)
      .where('expires_at', '>', now)
      .where('seen_at', '>', now - this.limits.sessionIdleMs)
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }

  /** The provider that made sure who it is, or null for a password and for no session. */
  async provider(secret: string): Promise<string | null> {
    const row = await this.store
      .selectFrom('web_session')
      .select('provider')
      .where('hash', '=', secretHash(secret))
      .executeTakeFirst()
    return row === undefined || row.provider === 'password' ? null : row.provider
  }

  async end(queries: Queries, secret: string): Promise<void> {
    await queries.deleteFrom('web_session').where('hash', '=', secretHash(secret)).execute()
  }
}

/**
 * What a page has to send with everything that changes something: it proves that the page could
 * read an answer of ours.
 */
export function csrfToken(secret: string): string {
  return createHash('sha256').update(`csrf\n${secret}`).digest('base64url')
}

/**
 * Ends every browser's session and every login of the account, also those at thin clients, but not
 * `except`, a caller's own login. Tokens of programs stay.
 */
export async function endLogins(queries: Queries, account: string, except = ''): Promise<void> {
  const own = except.replace(/^(session|token):/, '')
  await queries
    .deleteFrom('web_session')
    .where('account', '=', account)
    .where('hash', '!=', own)
    .execute()
  await queries
    .deleteFrom('token')
    .where('account', '=', account)
    .where('kind', '=', 'login')
    .where('hash', '!=', own)
    .execute()
  await queries
    .updateTable('device_login')
    .set({ ends: 'You were logged out everywhere.' })
    .where('account', '=', account)
    .where('ends', 'is', null)
    .execute()
}

/** Ends the tokens of programs as well: who knew the old password may have made some. Gives how many there were. */
export async function endAll(queries: Queries, account: string, except = ''): Promise<number> {
  await endLogins(queries, account, except)
  const { numDeletedRows } = await queries
    .deleteFrom('token')
    .where('account', '=', account)
    .where('hash', '!=', except.replace(/^token:/, ''))
    .executeTakeFirst()
  return Number(numDeletedRows)
}
