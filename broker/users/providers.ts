import { randomBytes } from 'node:crypto'
import * as oidc from 'openid-client'
import type { Logger } from 'pino'
import type { ProviderTest } from '../api/users.js'
import { BrokerError, refusal } from '../errors/broker-error.js'
import type { ProviderSettings } from '../login-settings.js'
import type { Store } from '../store/open.js'
import { type Arrival, rolesOfGroups } from './arrivals.js'
import { claimAt, groupsOf } from './claims.js'
import { loginFault } from './login-fault.js'
import { keepFlow, takeFlow } from './login-flows.js'
import { checkProvider } from './provider-check.js'
import { isNoAnswer, isRefusedClient, openProvider } from './provider-connection.js'
import { networkReason } from './provider-faults.js'
import { secretHash } from './tokens.js'

/** A login that is confirmed at another device: what to show, and the handle to ask with, which is a secret. */
export interface DeviceLogin {
  readonly userCode: string
  readonly verificationUri: string
  readonly verificationUriComplete: string | null
  readonly expiresAt: number
  readonly intervalMs: number
  readonly handle: string
}

const FLOW_MS = 10 * 60_000
const DISCOVERY_MS = 3_600_000
/** What was known is used so long before a provider that could not be asked is asked again. */
const RETRY_MS = 60_000
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const DEFAULT_INTERVAL_S = 5 // RFC 8628, 3.2

/** OpenID Connect: the code flow with PKCE, state and nonce for browsers, and the device flow for everything else. */
export class Providers {
  readonly #discovered = new Map<string, { config: oidc.Configuration; at: number }>()

  constructor(
    readonly deps: {
      readonly store: Store
      readonly log: Logger
      readonly settings: readonly ProviderSettings[]
      readonly now: () => number
    },
  ) {}

  list(): Array<{ name: string; title: string }> {
    return this.deps.settings.map(({ name, title }) => ({ name, title: title || name }))
  }

  /** What would happen at a login, step by step, but for the person. Throws `not_found`. */
  async test(name: string, redirectUri: string): Promise<ProviderTest> {
    return await checkProvider(this.#provider(name), redirectUri)
  }

  /**
   * Where to send the browser. `browserSecret` goes into a cookie: only the browser that began can
   * end it. Throws `not_found` and `provider_unreachable`.
   */
  async begin(
    name: string,
    redirectUri: string,
    returnTo: string,
  ): Promise<{ url: string; browserSecret: string }> {
    const provider = this.#provider(name)
    const config = await this.#config(provider)
    const [state, nonce, verifier, browserSecret] = [
      oidc.randomState(),
      oidc.randomNonce(),
      oidc.randomPKCECodeVerifier(),
      randomBytes(32).toString('base64url'),
    ]
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: redirectUri,
      scope: provider.scope,
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    await keepFlow(
      this.deps.store,
      `${state}.${browserSecret}`,
      'redirect',
      name,
      { nonce, verifier, redirectUri, returnTo },
      this.deps.now() + FLOW_MS,
    )
    return { url: url.href, browserSecret }
  }

  /**
   * The end of a login that `begin` began; `query` is what the provider sent with the browser.
   * Throws `unauthenticated` and `provider_unreachable`.
   */
  async finish(
    name: string,
    query: string,
    browserSecret: string,
  ): Promise<{ person: Arrival; returnTo: string }> {
    const provider = this.#provider(name)
    const state = new URLSearchParams(query).get('state') ?? ''
    const kept = (await takeFlow(this.deps, `${state}.${browserSecret}`, 'redirect', name)) as {
      nonce: string
      verifier: string
      redirectUri: string
      returnTo: string
    } | null
    if (!kept) throw refusal('provider_login_elsewhere')
    const config = await this.#config(provider)
    try {
      const tokens = await oidc.authorizationCodeGrant(
        config,
        new URL(`${kept.redirectUri}?${query}`),
        {
          expectedState: state,
          expectedNonce: kept.nonce,
          pkceCodeVerifier: kept.verifier,
          idTokenExpected: true,
        },
      )
      return { person: await this.#person(provider, config, tokens), returnTo: kept.returnTo }
    } catch (error) {
      throw this.#fault(provider, error)
    }
  }

  /** Throws `not_found`, `provider_unreachable`, and `invalid_request` when the provider has no such flow. */
  async startDeviceLogin(name: string): Promise<DeviceLogin> {
    const provider = this.#provider(name)
    const config = await this.#config(provider)
    if (config.serverMetadata().device_authorization_endpoint === undefined)
      throw refusal('provider_without_codes', { provider: name })
    try {
      const begun = await oidc.initiateDeviceAuthorization(config, { scope: provider.scope })
      const handle = randomBytes(32).toString('base64url')
      const expiresAt = this.deps.now() + Math.min(begun.expires_in * 1000, 2 * FLOW_MS)
      await keepFlow(
        this.deps.store,
        handle,
        'device',
        name,
        { deviceCode: begun.device_code },
        expiresAt,
      )
      return {
        userCode: begun.user_code,
        verificationUri: begun.verification_uri,
        verificationUriComplete: begun.verification_uri_complete ?? null,
        expiresAt,
        intervalMs: (begun.interval ?? DEFAULT_INTERVAL_S) * 1000,
        handle,
      }
    } catch (error) {
      throw this.#fault(provider, error)
    }
  }

  /**
   * One question to the provider: null while nobody has confirmed it. Ask no more often than
   * `intervalMs`. Throws `unauthenticated` when it was refused or is too old.
   */
  async pollDeviceLogin(handle: string): Promise<Arrival | null> {
    const row = await this.deps.store
      .selectFrom('login_flow')
      .selectAll()
      .where('hash', '=', secretHash(handle))
      .where('kind', '=', 'device')
      .where('expires_at', '>', this.deps.now())
      .executeTakeFirst()
    if (!row) throw refusal('provider_login_unknown')
    const provider = this.#provider(row.provider)
    const config = await this.#config(provider)
    const { deviceCode } = JSON.parse(row.state) as { deviceCode: string }
    try {
      const tokens = await oidc.genericGrantRequest(config, DEVICE_GRANT, {
        device_code: deviceCode,
      })
      await takeFlow(this.deps, handle, 'device', row.provider)
      return await this.#person(provider, config, tokens)
    } catch (error) {
      if (
        error instanceof oidc.ResponseBodyError &&
        ['authorization_pending', 'slow_down'].includes(error.error)
      )
        return null
      if (error instanceof oidc.ResponseBodyError && !isNoAnswer(error) && !isRefusedClient(error))
        await takeFlow(this.deps, handle, 'device', row.provider)
      throw this.#fault(provider, error)
    }
  }

  /** Where a browser goes to end the session at the provider too, or null when it has no such place. */
  async endSessionUrl(name: string, returnTo: string): Promise<string | null> {
    const provider = this.deps.settings.find((one) => one.name === name)
    if (!provider) return null
    const config = await this.#config(provider)
    return config.serverMetadata().end_session_endpoint === undefined
      ? null
      : oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: returnTo }).href
  }

  #provider(name: string): ProviderSettings {
    const provider = this.deps.settings.find((one) => one.name === name)
    if (!provider) throw refusal('provider_unknown', { provider: name })
    return provider
  }

  async #config(provider: ProviderSettings): Promise<oidc.Configuration> {
    const known = this.#discovered.get(provider.name)
    if (known && performance.now() - known.at < DISCOVERY_MS) return known.config
    try {
      const config = await openProvider(provider)
      this.#discovered.set(provider.name, { config, at: performance.now() })
      return config
    } catch (error) {
      this.deps.log.warn(
        { err: error, provider: provider.name },
        'a login provider could not be asked',
      )
      if (known) {
        // What it said before is likelier to be right than nothing, and nobody else waits for it meanwhile.
        this.#discovered.set(provider.name, {
          ...known,
          at: performance.now() - DISCOVERY_MS + RETRY_MS,
        })
        return known.config
      }
      const why = networkReason(error)
      throw why === null
        ? refusal('provider_wrong', { provider: provider.name }, { cause: error })
        : refusal('provider_not_reached', { provider: provider.name, why }, { cause: error })
    }
  }

  /** Who the tokens are about; claims that the ID token lacks come from the provider's userinfo. */
  async #person(
    provider: ProviderSettings,
    config: oidc.Configuration,
    tokens: oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers,
  ): Promise<Arrival> {
    const idToken = tokens.claims()
    if (!idToken) throw new Error('the provider gave no ID token')
    const complete =
      claimAt(idToken, provider['name-claim']) !== undefined &&
      (Object.keys(provider.roles).length === 0 ||
        claimAt(idToken, provider['roles-claim']) !== undefined)
    const claims: Readonly<Record<string, unknown>> =
      complete || config.serverMetadata().userinfo_endpoint === undefined
        ? idToken
        : { ...(await oidc.fetchUserInfo(config, tokens.access_token, idToken.sub)), ...idToken }
    const name = claimAt(claims, provider['name-claim'])
    if (typeof name !== 'string' || name === '')
      throw refusal('provider_without_name', {
        provider: provider.name,
        claim: provider['name-claim'],
      })
    const { groups, missing } = groupsOf(claims, provider['roles-claim'])
    const unknown = Object.keys(provider.roles).length === 0 ? null : missing
    if (unknown !== null)
      this.deps.log.warn(
        { provider: provider.name, person: name, why: unknown },
        'a login provider did not say the groups of a person; no role is taken away',
      )
    const displayName = typeof claims['name'] === 'string' ? claims['name'].slice(0, 200) : ''
    return {
      source: provider.name,
      name,
      subject: `${idToken.iss} ${idToken.sub}`,
      displayName,
      roles: rolesOfGroups(groups, provider.roles),
      missing: unknown,
    }
  }

  #fault(provider: ProviderSettings, error: unknown): BrokerError {
    if (error instanceof BrokerError) return error
    this.deps.log.warn({ err: error, provider: provider.name }, 'a login with a provider failed')
    return loginFault(provider, error)
  }
}
