import { randomBytes } from 'node:crypto'
import type { CodeDevice } from '../api/device-logins.js'
import { choicesOf, type ChoicesDeps } from '../assignments/choices.js'
import { recordEvent } from '../audit/store.js'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import type { AccountRow, ThinClientRow } from '../store/tables.js'
import type { Caller } from '../users/caller.js'
import type { LoginLimits } from '../users/login-limits.js'
import { secretHash } from '../users/tokens.js'
import { lettersOf, randomCode, spelled } from './shown-code.js'
import { inTransaction } from '../store/transaction.js'

export interface DeviceCodesDeps extends ChoicesDeps {
  readonly limits: LoginLimits
  readonly now: () => number
}

/** What the device shows, and the handle with which it asks: a secret. */
export interface BegunCode {
  readonly userCode: string
  readonly expiresAt: number
  readonly intervalMs: number
  readonly handle: string
}

const CODE_MS = 10 * 60_000
const INTERVAL_MS = 2_000

/** What is kept of a code: where it is shown, and the handle (hashed) that it answers. */
interface CodeState {
  readonly handle: string
  readonly pools: readonly string[]
  readonly since: number
}
/** What became of the login: nobody has answered, somebody has refused it, or this account is to be logged in. */
interface HandleState {
  readonly answer: null | { readonly account: string | null }
}

/**
 * Logins at thin clients that a person confirms on a page of Berth: the device shows a code, they
 * type it where they are logged in. Kept in the table of logins that were begun, with the device in
 * the place of the provider: one row for the code, one for the device's handle, both by their
 * hashes. A device has one at a time.
 */
export class DeviceCodes {
  constructor(readonly deps: DeviceCodesDeps) {}

  async begin(device: ThinClientRow, pools: readonly string[]): Promise<BegunCode> {
    const { store, now } = this.deps
    const letters = randomCode()
    const handle = randomBytes(32).toString('base64url')
    const expiresAt = now() + CODE_MS
    const code: CodeState = { handle: secretHash(handle), pools, since: now() }
    const kept: HandleState = { answer: null }
    await inTransaction(store, async (tx) => {
      await tx
        .deleteFrom('login_flow')
        .where('kind', 'in', ['code', 'code-handle'])
        .where('provider', '=', device.id)
        .execute()
      await tx
        .insertInto('login_flow')
        .values([
          {
            hash: codeHash(letters),
            kind: 'code',
            provider: device.id,
            state: JSON.stringify(code),
            expires_at: expiresAt,
          },
          {
            hash: code.handle,
            kind: 'code-handle',
            provider: device.id,
            state: JSON.stringify(kept),
            expires_at: expiresAt,
          },
        ])
        .execute()
    })
    return {
      userCode: spelled(letters),
      expiresAt,
      intervalMs: INTERVAL_MS,
      handle,
    }
  }

  /**
   * Whom to log in; null while nobody has answered. Gives it once. Throws `unauthenticated` when it
   * was refused or is too old.
   */
  async poll(device: ThinClientRow, handle: string): Promise<AccountRow | null> {
    const { store, now } = this.deps
    const row = await store
      .selectFrom('login_flow')
      .selectAll()
      .where('hash', '=', secretHash(handle))
      .where('kind', '=', 'code-handle')
      .where('provider', '=', device.id)
      .where('expires_at', '>', now())
      .executeTakeFirst()
    if (!row) throw refusal('code_run_out')
    const { answer } = JSON.parse(row.state) as HandleState
    if (answer === null) return null
    const { numDeletedRows } = await store
      .deleteFrom('login_flow')
      .where('hash', '=', row.hash)
      .executeTakeFirst()
    const account =
      answer.account === null || numDeletedRows !== 1n
        ? undefined
        : await store
            .selectFrom('account')
            .selectAll()
            .where('name', '=', answer.account)
            .where('disabled', '=', 0)
            .executeTakeFirst()
    if (!account) throw refusal('code_refused')
    return account
  }

  /** Which device shows this code. Throws `not_found`, and `too_many_requests` for one who guesses. */
  async look(code: string, person: Caller): Promise<CodeDevice> {
    return (await this.#find(code, person)).shown
  }

  /**
   * Logs the person in at the device that shows the code, or refuses it; the code is used up.
   * Throws as `look`, and `forbidden` for one who may use nothing there.
   */
  async answer(code: string, confirm: boolean, person: Caller): Promise<void> {
    const { store } = this.deps
    const { hash, deviceId, state, shown } = await this.#find(code, person)
    if (confirm && (await choicesOf(this.deps, person, state.pools)).length === 0)
      throw refusal('no_desktop_at_device')
    const answered: HandleState = { answer: { account: confirm ? person.actor : null } }
    await inTransaction(store, async (tx) => {
      const { numDeletedRows } = await tx
        .deleteFrom('login_flow')
        .where('hash', '=', hash)
        .where('kind', '=', 'code')
        .executeTakeFirst()
      if (numDeletedRows !== 1n) throw noSuchCode()
      await tx
        .updateTable('login_flow')
        .set({ state: JSON.stringify(answered) })
        .where('hash', '=', state.handle)
        .where('kind', '=', 'code-handle')
        .execute()
      await recordEvent(
        tx,
        person,
        confirm ? 'thin-client.confirm-code' : 'thin-client.refuse-code',
        `thin-client:${deviceId}`,
        { mac: shown.mac },
      )
    })
  }

  async #find(
    code: string,
    person: Caller,
  ): Promise<{ hash: string; deviceId: string; state: CodeState; shown: CodeDevice }> {
    const { store, limits, now } = this.deps
    const hash = codeHash(code)
    const shownNow = async () =>
      (await store
        .selectFrom('login_flow')
        .innerJoin('thin_client', 'thin_client.id', 'login_flow.provider')
        .select(['thin_client.id', 'hostname', 'mac', 'address', 'state', 'expires_at'])
        .where('hash', '=', hash)
        .where('kind', '=', 'code')
        .where('expires_at', '>', now())
        .executeTakeFirst()) ?? null
    const row = await limits.attempt(person.actor, person, shownNow, 'code')
    if (!row) throw noSuchCode()
    const state = JSON.parse(row.state) as CodeState
    return {
      hash,
      deviceId: row.id,
      state,
      shown: {
        hostname: row.hostname,
        mac: row.mac,
        address: row.address,
        since: new Date(state.since).toISOString(),
        expiresAt: new Date(row.expires_at).toISOString(),
      },
    }
  }
}

function noSuchCode(): BrokerError {
  return refusal('code_unknown')
}

function codeHash(code: string): string {
  return secretHash(`code ${lettersOf(code)}`)
}
