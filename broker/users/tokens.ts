import { createHash, randomBytes } from 'node:crypto'
import type { Scope } from '../api/permissions.js'
import type { Token, TokenCreate } from '../api/users.js'
import { recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { type Caller, callerFor } from './caller.js'

export const LOGIN_TOKEN_MS = 12 * 3_600_000
const LAST_USED_STEP_MS = 60_000
/** Of programs, and as many of logins. */
const MOST_OF_PERSON = 50
const ID_LENGTH = 16
const DAY_MS = 24 * 3_600_000

/** Bearer tokens of people and of their programs. A token is kept as a hash only. */
export class Tokens {
  /** `longestMs`: no new token of a program is good for longer. */
  constructor(
    readonly store: Store,
    readonly longestMs: number,
    readonly now: () => number,
  ) {}

  /** A token for a person who has just logged in; of too many, the oldest logins end. */
  async forLogin(queries: Queries, account: string): Promise<{ token: string; expiresAt: number }> {
    const oldest = await queries
      .selectFrom('token')
      .select('hash')
      .where('account', '=', account)
      .where('kind', '=', 'login')
      .orderBy('created_at', 'desc')
      .limit(1_000)
      .offset(MOST_OF_PERSON - 1)
      .execute()
    if (oldest.length > 0)
      await queries
        .deleteFrom('token')
        .where(
          'hash',
          'in',
          oldest.map(({ hash }) => hash),
        )
        .execute()
    const expiresAt = Date.now() + LOGIN_TOKEN_MS
    const token = await insertToken(queries, {
      account,
      name: `login ${new Date().toISOString()} ${randomBytes(2).toString('hex')}`,
      kind: 'login',
      scopes: null,
      expires_at: expiresAt,
    })
    return { token, expiresAt }
  }

  /** Whose token this is, with what the account may now. Throws `unauthenticated`. */
  async authenticate(token: string, address: string): Promise<Caller> {
    const now = this.now()
    const row = await this.store
      .selectFrom('token')
      .innerJoin('account', 'account.name', 'token.account')
      .where('hash', '=', secretHash(token))
      .where('disabled', '=', 0)
      .select([
        'hash',
        'token.name as token',
        'scopes',
        'expires_at',
        'last_used_at',
        'account.name',
        'name_key',
        'source',
      ])
      .executeTakeFirst()
    if (!row || (row.expires_at !== null && row.expires_at <= now)) throw refusal('token_ended')
    if (row.last_used_at === null || now - row.last_used_at > LAST_USED_STEP_MS)
      await this.store
        .updateTable('token')
        .set({ last_used_at: now })
        .where('hash', '=', row.hash)
        .execute()
    return await callerFor(this.store, row, {
      address,
      token: row.token,
      scopes: scopesOf(row.scopes),
      expiresAt: row.expires_at,
      login: `token:${row.hash}`,
    })
  }

  /**
   * A token never may more than the one that makes it, and does not outlive it. Throws `forbidden`,
   * `name_taken`, `too_many_tokens` and `invalid_request`.
   */
  async create(by: Caller, wish: TokenCreate): Promise<string> {
    const scopes = wish.scopes ?? by.scopes
    const more = !isNarrow(by)
      ? undefined
      : (scopes ?? []).find((scope) => by.scopes?.includes(scope) !== true)
    if (more !== undefined) throw refusal('scope_missing', { scope: more })
    if (wish.validForMs !== undefined && wish.validForMs > this.longestMs)
      throw refusal('token_too_long', { days: Math.floor(this.longestMs / DAY_MS) })
    const wished = Date.now() + (wish.validForMs ?? this.longestMs)
    const bound = by.scopes === null ? null : by.expiresAt
    return await inTransaction(this.store, async (tx) => {
      await refuseTakenOrMany(tx, by.actor, wish.name)
      const expiresAt = bound === null ? wished : Math.min(bound, wished)
      const token = await insertToken(tx, {
        account: by.actor,
        name: wish.name,
        kind: 'program',
        scopes: scopes === null ? null : scopes.join(','),
        expires_at: expiresAt,
      })
      await recordEvent(tx, by, 'token.create', `token:${wish.name}`, {
        scopes,
        expiresAt: new Date(expiresAt).toISOString(),
      })
      return token
    })
  }

  async list(account: string): Promise<Token[]> {
    const rows = await this.store
      .selectFrom('token')
      .selectAll()
      .where('account', '=', account)
      .orderBy('created_at')
      .execute()
    const instant = (ms: number): string => new Date(ms).toISOString()
    return rows.map((row) => ({
      id: row.hash.slice(0, ID_LENGTH),
      kind: row.kind,
      name: row.name,
      user: row.account,
      scopes: scopesOf(row.scopes),
      createdAt: instant(row.created_at),
      expiresAt: row.expires_at === null ? null : instant(row.expires_at),
      lastUsedAt: row.last_used_at === null ? null : instant(row.last_used_at),
    }))
  }

  /** A token with scopes revokes itself only. Throws `not_found`. */
  async revoke(by: Caller, name: string): Promise<void> {
    await inTransaction(this.store, async (tx) => {
      const { numDeletedRows } = await tx
        .deleteFrom('token')
        .where('account', '=', by.actor)
        .where('name', '=', name)
        .$if(isNarrow(by), (q) => q.where('name', '=', by.token))
        .executeTakeFirst()
      if (numDeletedRows === 0n) throw refusal('token_unknown', { token: name })
      await recordEvent(tx, by, 'token.revoke', `token:${name}`)
    })
  }
}

/** An administrator ends somebody's token, by its id or its name. Throws `not_found`. */
export async function revokeOf(
  store: Store,
  account: string,
  token: string,
  by: Caller,
): Promise<void> {
  await inTransaction(store, async (tx) => {
    const rows = await tx
      .selectFrom('token')
      .select(['hash', 'name'])
      .where('account', '=', account)
      .execute()
    const found =
      rows.find(({ hash }) => hash.slice(0, ID_LENGTH) === token) ??
      rows.find(({ name }) => name === token)
    if (!found) throw refusal('token_of_account_unknown', { account, token })
    await tx.deleteFrom('token').where('hash', '=', found.hash).execute()
    await recordEvent(tx, by, 'token.revoke', `token:${found.name}`, { of: account })
  })
}

export function isNarrow({ scopes }: Pick<Caller, 'scopes'>): boolean {
  return scopes !== null && !scopes.includes('admin')
}

/** For what a token with scopes must not do to its account. Throws `forbidden`. */
export function requireWhole(by: Caller): void {
  if (isNarrow(by)) throw refusal('scoped_token_not_allowed')
}

export function secretHash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

function scopesOf(text: string | null): Scope[] | null {
  return text === null ? null : (text.split(',') as Scope[])
}

async function insertToken(
  queries: Queries,
  row: {
    account: string
    name: string
    kind: 'login' | 'program'
    scopes: string | null
    expires_at: number | null
  },
): Promise<string> {
  const token = `berth_${randomBytes(32).toString('base64url')}`
  await queries
    .insertInto('token')
    .values({ ...row, hash: secretHash(token), created_at: Date.now(), last_used_at: null })
    .execute()
  return token
}

/** Throws `name_taken` and `too_many_tokens`. */
async function refuseTakenOrMany(tx: Queries, account: string, name: string): Promise<void> {
  const taken = await tx
    .selectFrom('token')
    .select('name')
    .where('account', '=', account)
    .where('name', '=', name)
    .executeTakeFirst()
  if (taken) throw refusal('token_taken', { token: name })
  const { count } = await tx
    .selectFrom('token')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('account', '=', account)
    .where('kind', '=', 'program')
    .executeTakeFirstOrThrow()
  if (count >= MOST_OF_PERSON) throw refusal('too_many_tokens', { count })
}
