import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { inBackground } from '../background.js'
import type { Role } from '../api/users.js'
import { recordEvent } from '../audit/store.js'
import { BrokerError, refusal } from '../errors/broker-error.js'
import { REASONS } from '../errors/reasons.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { SteadyClock } from '../steady-clock.js'
import type { AccountRow } from '../store/tables.js'
import { type Arrival, arrive } from './arrivals.js'
import { type Caller, callerFor } from './caller.js'
import type { Directories, LoginAnswer } from './directories.js'
import { forgetExpired } from './expiry.js'
import { LoginLimits, type Origin } from './login-limits.js'
import { nameKey } from './names.js'
import { hashPassword, isPassword } from './passwords.js'
import { endAll, type Sessions } from './sessions.js'
import { Tokens } from './tokens.js'

export interface UsersDeps {
  readonly store: Store
  readonly log: Logger
  readonly directories: Directories
  readonly sessions: Sessions
  readonly clock: SteadyClock
  readonly tokenLifetimeMs: number
}

/**
 * A refusal leaves at a multiple of this time after its question: whether an account exists, and
 * where, cannot be heard from the clock.
 */
const REFUSAL_STEP_MS = 250
/** In the audit log, for a name that no account has. */
const UNKNOWN_NAME = '(unknown name)'
const FORGET_EVERY_MS = 10 * 60_000

type Refused = Extract<LoginAnswer, { kind: 'refused' }>

/** Who people are: passwords, and what a login is worth. */
export class Users {
  readonly store: Store
  readonly tokens: Tokens
  readonly limits: LoginLimits
  #timer: NodeJS.Timeout | undefined

  constructor(readonly deps: UsersDeps) {
    this.store = deps.store
    this.tokens = new Tokens(deps.store, deps.tokenLifetimeMs, () => deps.clock.now())
    this.limits = new LoginLimits(deps.store, () => deps.clock.now())
  }

  start(): void {
    this.#timer = setInterval(() => {
      inBackground({
        log: this.deps.log,
        what: 'logins.forget-expired',
        work: () => forgetExpired(this.deps),
      })
    }, FORGET_EVERY_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** A token for a name and a password. */
  async login(
    name: string,
    password: string,
    address: string,
  ): Promise<{ token: string; expiresAt: string; role: Role }> {
    return await this.tokenFor(await this.checkPassword(name, password, address), address)
  }

  async tokenFor(
    account: AccountRow,
    address: string,
  ): Promise<{ token: string; expiresAt: string; role: Role }> {
    return await inTransaction(this.store, async (tx) => {
      const { token, expiresAt } = await this.tokens.forLogin(tx, account.name)
      const { role } = await callerFor(tx, account, { address, token: '', scopes: null, expiresAt })
      return { token, expiresAt: new Date(expiresAt).toISOString(), role }
    })
  }

  /**
   * Whose name and password these are: an account's here, else of the directories, in the order of
   * the settings. Throws `unauthenticated`, in the same words and after the same time whatever was
   * wrong, `too_many_requests`, `account_refused` to one whose password is right, and
   * `directory_unreachable`, which counts as no try. `origin`: by what tries are counted besides
   * the name.
   */
  async checkPassword(
    name: string,
    password: string,
    address: string,
    origin: Origin = { address },
  ): Promise<AccountRow> {
    const begun = performance.now()
    let refused: Refused | null = null
    const account = await this.limits.attempt(name, origin, async () => {
      const checked = await this.#check(name, password, address)
      if (checked === null || !('state' in checked)) return checked
      refused = checked
      return checked.state.proven ? checked : null
    })
    if (account !== null && !('state' in account)) {
      await this.#noteLogin(account, address)
      return account
    }
    await this.#noteRefusal(name, address, account ?? refused)
    if (account !== null) throw refusal(account.state.reason)
    await delay(REFUSAL_STEP_MS - ((performance.now() - begun) % REFUSAL_STEP_MS))
    throw refusal('login_wrong')
  }

  /** Null: wrong. Throws when nobody can say. */
  async #check(
    name: string,
    password: string,
    address: string,
  ): Promise<AccountRow | Refused | null> {
    const account = await this.#accountNamed(name)
    const good = await isPassword(account?.password_hash, password)
    if (account?.source === 'local') return good && account.disabled === 0 ? account : null
    const answer = await this.deps.directories.login(name, password, account?.source ?? null)
    if (answer.kind === 'could-not-say') throw answer.fault
    if (answer.kind === 'refused') return answer
    return answer.kind === 'wrong' ? null : await this.#arriveIfMay(answer.person, address)
  }

  /** Null: another account has the name, or it is disabled. To a stranger that is a wrong password. */
  async #arriveIfMay(person: Arrival, address: string): Promise<AccountRow | null> {
    try {
      return await this.#arrive(person, address)
    } catch (error) {
      if (error instanceof BrokerError && ['forbidden', 'invalid_request'].includes(error.code))
        return null
      throw error
    }
  }

  async #arrive(person: Arrival, address: string): Promise<AccountRow> {
    return await inTransaction(this.store, async (tx) => {
      const account = await arrive(tx, person, address)
      if (person.missing !== null)
        await recordEvent(
          tx,
          { actor: account.name, address },
          'account.roles-unknown',
          `account:${account.name}`,
          { source: person.source, why: person.missing },
        )
      return account
    })
  }

  /** What was typed as a name is written down only where it is one: people type their passwords there. */
  async #noteRefusal(name: string, address: string, refused: Refused | null): Promise<void> {
    const actor = refused?.name ?? (await this.#accountNamed(name))?.name ?? UNKNOWN_NAME
    const detail = refused
      ? {
          directory: refused.directory,
          code: refused.state.code,
          said: REASONS[refused.state.reason].sentence,
        }
      : {}
    await recordEvent(this.store, { actor, address }, 'login', 'account', detail, 'refused')
  }

  async #accountNamed(name: string): Promise<AccountRow | undefined> {
    return await this.store
      .selectFrom('account')
      .selectAll()
      .where('name_key', '=', nameKey(name))
      .executeTakeFirst()
  }

  /** The account of one who was made sure of elsewhere, by a provider. Throws `forbidden`. */
  async admit(person: Arrival, address: string): Promise<AccountRow> {
    const account = await this.#arrive(person, address)
    await this.#noteLogin(account, address)
    return account
  }

  /** The caller of a request that the trusted proxy has passed on. Not each request is a login worth an event. */
  async callerOfProxy(person: Arrival, address: string): Promise<Caller> {
    const account = await inTransaction(this.store, async (tx) => await arrive(tx, person, address))
    return await callerFor(this.store, account, {
      address,
      token: '',
      scopes: null,
      expiresAt: null,
    })
  }

  async changePassword(by: Caller, oldPassword: string, newPassword: string): Promise<void> {
    const account = await this.store
      .selectFrom('account')
      .selectAll()
      .where('name', '=', by.actor)
      .executeTakeFirstOrThrow()
    if (account.source !== 'local')
      throw refusal('own_password_elsewhere', { account: account.name, source: account.source })
    // Only they themselves, being logged in, come here: what strangers guess elsewhere does not
    // keep them from a new password.
    const origin = { address: by.address, known: 'password-change' }
    const right = await this.limits.attempt(by.actor, origin, async () =>
      (await isPassword(account.password_hash, oldPassword)) ? true : null,
    )
    if (right === null) throw refusal('old_password_wrong')
    const passwordHash = await hashPassword(newPassword)
    await inTransaction(this.store, async (tx) => {
      await tx
        .updateTable('account')
        .set({ password_hash: passwordHash })
        .where('name', '=', by.actor)
        .execute()
      const programs = await endAll(tx, by.actor, by.login)
      await recordEvent(tx, by, 'account.password', `account:${by.actor}`, { programs })
    })
  }

  /** The name as its account has it; a name that no account has is given back as it is. */
  async canonicalName(name: string): Promise<string> {
    return (await this.#accountNamed(name))?.name ?? name
  }

  async #noteLogin(account: AccountRow, address: string): Promise<void> {
    await inTransaction(this.store, async (tx: Queries) => {
      await tx
        .updateTable('account')
        .set({ last_login_at: Date.now() })
        .where('name', '=', account.name)
        .execute()
      await recordEvent(tx, { actor: account.name, address }, 'login', `account:${account.name}`)
    })
  }
}
