import type { ChooseRequest } from '../api/device-logins.js'
import type { Choice, LoginWays } from '../api/thin-clients.js'
import { refusal } from '../errors/broker-error.js'
import type { AccountRow, ThinClientRow } from '../store/tables.js'
import type { Providers } from '../users/providers.js'
import type { Users } from '../users/service.js'
import { callerFor } from '../users/caller.js'
import { secretHash } from '../users/tokens.js'
import { choicesOf, type ChoicesDeps, mayHave } from '../assignments/choices.js'
import type { LoginTarget, Target } from './clients-entry.js'
import type { BegunCode, DeviceCodes } from './device-codes.js'
import type { DeviceLogin, DeviceLogins } from './device-logins.js'
import type { Opening } from './opening.js'
import type { Opened, Opener } from './opened.js'

export interface PersonDesktopsDeps extends ChoicesDeps {
  readonly users: Users
  readonly providers: Providers
  readonly logins: DeviceLogins
  readonly codes: DeviceCodes
  readonly opening: Opening
}

/** One device begins a login with a provider no more often: each costs the provider something. */
const BEGIN_GAP_MS = 2_000
/** A device that asks more often than this is not passed on to the provider. */
const POLL_GAP_MS = 1_000

/** The topic of a change of any account. */
export const ACCOUNTS = 'accounts'

/** The desktops of people who log in at thin clients. */
export class PersonDesktops {
  readonly #begun = new Map<string, number>()
  readonly #polled = new Map<string, number>()
  /**
   * The last login of each device that was confirmed elsewhere: an answer that was lost is given
   * again while that login lasts.
   */
  readonly #confirmed = new Map<string, { readonly handle: string; readonly account: string }>()

  constructor(readonly deps: PersonDesktopsDeps) {}

  /** What a device with this target is told: to let somebody log in, to let them choose, or their desktop. */
  async open(pools: readonly string[], device: ThinClientRow): Promise<Opened> {
    const { logins } = this.deps
    const login = await logins.of(device)
    if (!login) return await this.#prompt(device)
    const choices = await this.#choices(login, pools)
    const wakers = await this.#wakers()
    const person = login.person.actor
    if (choices.length === 0) {
      await logins.end(
        device.id,
        `${person} may use no desktop at this screen.`,
        login.person,
        login.row.since,
      )
      return await this.#prompt(device)
    }
    const chosen = choices.length === 1 ? choices[0] : undefined
    if (!chosen)
      return {
        state: 'choose',
        sentence: `${person}, choose a desktop.`,
        console: null,
        machine: null,
        wakers,
        person,
        choices,
      }
    const opened = await logins.noteTicket(
      device.id,
      async () => await this.deps.opening.open([targetOf(chosen)], this.#opener(login, device)),
    )
    return { ...opened, person, wakers: [...opened.wakers, ...wakers] }
  }

  /**
   * Logs in by name and password. Throws `unauthenticated`, `too_many_requests`, and `forbidden`
   * for one who may use nothing there.
   */
  async login(
    device: ThinClientRow,
    target: LoginTarget,
    name: string,
    password: string,
  ): Promise<string> {
    const account = await this.deps.users.checkPassword(name, password, device.address, {
      device: device.id,
      address: device.address,
    })
    return await this.#admit(device, target, account)
  }

  /**
   * Begins a login that is confirmed in any browser. Throws `not_found`, `provider_unreachable`,
   * `too_many_requests`.
   */
  async beginProvider(
    device: ThinClientRow,
    provider: string,
  ): ReturnType<Providers['startDeviceLogin']> {
    this.#refuseHaste(device)
    return await this.deps.providers.startDeviceLogin(provider)
  }

  /** Null while nobody has confirmed it. Throws as `login`. */
  async pollProvider(
    device: ThinClientRow,
    target: LoginTarget,
    handle: string,
  ): Promise<string | null> {
    const now = performance.now()
    if (now - (this.#polled.get(device.id) ?? -POLL_GAP_MS) < POLL_GAP_MS) return null
    this.#polled.set(device.id, now)
    const again = await this.#again(device, handle)
    if (again !== null) return again
    const person = await this.deps.providers.pollDeviceLogin(handle)
    return person
      ? await this.#admitBy(
          handle,
          device,
          target,
          await this.deps.users.admit(person, device.address),
        )
      : null
  }

  async #again(device: ThinClientRow, handle: string): Promise<string | null> {
    const before = this.#confirmed.get(device.id)
    if (before?.handle !== secretHash(handle)) return null
    return (await this.deps.logins.of(device))?.row.account === before.account
      ? before.account
      : null
  }

  async #admitBy(
    handle: string,
    device: ThinClientRow,
    target: LoginTarget,
    account: AccountRow,
  ): Promise<string> {
    const name = await this.#admit(device, target, account)
    this.#confirmed.set(device.id, { handle: secretHash(handle), account: name })
    return name
  }

  /** Begins a login that is confirmed on a page of this broker. Throws `too_many_requests`. */
  async beginCode(device: ThinClientRow, target: LoginTarget): Promise<BegunCode> {
    this.#refuseHaste(device)
    return await this.deps.codes.begin(device, target.pools)
  }

  /** Null while nobody has confirmed it. Throws as `login`. */
  async pollCode(
    device: ThinClientRow,
    target: LoginTarget,
    handle: string,
  ): Promise<string | null> {
    const again = await this.#again(device, handle)
    if (again !== null) return again
    const account = await this.deps.codes.poll(device, handle)
    return account ? await this.#admitBy(handle, device, target, account) : null
  }

  #refuseHaste(device: ThinClientRow): void {
    const now = performance.now()
    if (now - (this.#begun.get(device.id) ?? -BEGIN_GAP_MS) < BEGIN_GAP_MS)
      throw refusal('login_just_begun')
    this.#begun.set(device.id, now)
  }

  /** Throws `unauthenticated` when nobody is logged in there, and `not_found` for what they may not have. */
  async choose(
    device: ThinClientRow,
    target: LoginTarget,
    { pool, machine }: ChooseRequest,
  ): Promise<void> {
    const login = await this.deps.logins.of(device)
    if (!login) throw refusal('nobody_at_screen')
    const wanted =
      pool !== undefined
        ? { kind: 'pool', name: pool }
        : machine !== undefined
          ? { kind: 'machine', name: machine }
          : null
    if (wanted === null || (pool !== undefined && machine !== undefined))
      throw refusal('nothing_chosen')
    const choice = (await choicesOf(this.deps, login.person, target.pools)).find(
      (one) => one.kind === wanted.kind && one.name.toLowerCase() === wanted.name.toLowerCase(),
    )
    if (!choice) throw refusal('not_offered', { name: wanted.name })
    await this.deps.logins.choose(device, choice)
  }

  async #admit(device: ThinClientRow, target: LoginTarget, account: AccountRow): Promise<string> {
    const person = await callerFor(this.deps.store, account, {
      address: device.address,
      token: '',
      scopes: null,
      expiresAt: null,
    })
    if ((await choicesOf(this.deps, person, target.pools)).length === 0)
      throw refusal('no_desktop_at_screen', { account: account.name })
    await this.deps.logins.begin(device, account)
    return account.name
  }

  async #prompt(device: ThinClientRow): Promise<Opened> {
    const why = this.deps.logins.whyEnded(device.id)
    return {
      state: 'login',
      sentence: `${why === null ? '' : `${why} `}Log in to get your desktop.`,
      console: null,
      machine: null,
      wakers: [],
      // Why the last login ended is said for a minute; in which ways one may log in depends on the accounts.
      ...(why === null ? { steadyUnder: [ACCOUNTS] } : {}),
      ways: await this.#ways(),
    }
  }

  /** Names and passwords are asked for only where somebody has one besides administrators. */
  async #ways(): Promise<LoginWays> {
    const providers = this.deps.providers.list()
    if (providers.length === 0 || this.deps.users.deps.directories.names().length > 0)
      return { password: true, code: true, providers }
    const own = await this.deps.store
      .selectFrom('account')
      .select('name')
      .where('password_hash', 'is not', null)
      .where((eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom('account_role')
              .select('role')
              .whereRef('account_role.account', '=', 'account.name')
              .where('role', '=', 'admin'),
          ),
        ),
      )
      .limit(1)
      .executeTakeFirst()
    return { password: own !== undefined, code: true, providers }
  }

  /** The one that they chose, as long as they may have it; else all. */
  async #choices({ row, person }: DeviceLogin, pools: readonly string[]): Promise<Choice[]> {
    if (row.choice !== null && row.choice_kind !== null) {
      const chosen = { kind: row.choice_kind, name: row.choice }
      const inBounds =
        pools.length === 0 ||
        chosen.kind === 'machine' ||
        pools.some((pool) => pool.toLowerCase() === chosen.name.toLowerCase())
      if (inBounds && (await mayHave(this.deps, person, chosen)))
        return [{ ...chosen, state: 'yours', sentence: '' }]
    }
    return await choicesOf(this.deps, person, pools)
  }

  async #wakers(): Promise<string[]> {
    return (await this.deps.store.selectFrom('pool').select('id').execute()).map(
      (pool) => `pool:${pool.id}`,
    )
  }

  #opener({ person }: DeviceLogin, device: ThinClientRow): Opener {
    const { permissions } = this.deps
    return {
      holder: `user:${person.key}`,
      actor: person,
      asker: { kind: 'person', name: person.actor, address: device.address },
      may: async (verb, machine) =>
        (await permissions.on(person, 'machine', machine))?.has(verb) === true,
    }
  }
}

function targetOf(choice: Pick<Choice, 'kind' | 'name'>): Target {
  return choice.kind === 'pool'
    ? { protocol: 'pool', pool: choice.name }
    : { protocol: 'spice', machine: choice.name }
}
