import * as oidc from 'openid-client'
import type { ProviderTest } from '../api/users.js'
import type { ProviderSettings } from '../login-settings.js'
import {
  fetchOf,
  isNoAnswer,
  isRefusedClient,
  methodOf,
  openProvider,
  secretOf,
} from './provider-connection.js'
import { whyNot } from './provider-faults.js'

type Step = ProviderTest['steps'][number] & { readonly good: boolean }

/** An ID token is good within this much of its times (oauth4webapi, clockTolerance). */
const MOST_SKEW_MS = 30_000
/**
 * A key and signature of the provider's own; HS256 and its kin are made with the client's secret,
 * which Berth knows as well.
 */
const OWN_SIGNATURE = /^(RS|PS|ES)(256|384|512)$|^EdDSA$|^Ed25519$/
/**
 * No provider has given this code, so one that takes the client's secret answers invalid_grant to
 * it (RFC 6749, 5.2).
 */
const NO_CODE = 'berth-provider-test'

/**
 * Asks a provider all that a login would need, but for the person, and says of each step how it
 * went. Nothing is kept.
 */
export async function checkProvider(
  provider: ProviderSettings,
  redirectUri: string,
): Promise<ProviderTest> {
  const steps: Step[] = []
  const tell = (step: string, good: boolean, said: string): void => {
    steps.push({ step, good, said })
  }
  try {
    const dates: number[] = []
    const config = await openProvider(provider, (date) => dates.push(date - Date.now()))
    const server = config.serverMetadata()
    tell('discovery', true, `${server.issuer} answers.`)
    clock(dates.at(-1), tell)
    await keys(provider, config, tell)
    methods(provider, server, tell)
    await client(provider, config, redirectUri, tell)
    claims(provider, server, tell)
    tell('redirect', true, `It must know this address of Berth: ${redirectUri}`)
    tell(
      'device',
      true,
      server.device_authorization_endpoint === undefined
        ? 'It has no login by a code: the command line and thin clients cannot use it.'
        : 'It has a login by a code, for the command line and thin clients.',
    )
  } catch (error) {
    tell('discovery', false, whyNot(error))
  }
  return { good: steps.every(({ good }) => good), steps }
}

type Tell = (step: string, good: boolean, said: string) => void
type Server = ReturnType<oidc.Configuration['serverMetadata']>

function clock(skewMs: number | undefined, tell: Tell): void {
  if (skewMs === undefined || Number.isNaN(skewMs))
    return void tell('clock', true, 'It does not tell its time.')
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  const side = skewMs > 0 ? 'ahead of' : 'behind'
  // The header has whole seconds, and the answer took a moment.
  if (seconds <= 2) tell('clock', true, 'Its clock is that of the broker.')
  else if (Math.abs(skewMs) <= MOST_SKEW_MS)
    tell('clock', true, `Its clock is ${seconds} seconds ${side} the broker's, which does no harm.`)
  else
    tell(
      'clock',
      false,
      `Its clock is ${seconds} seconds ${side} the broker's: logins may be refused. Let both ` +
        'follow the same time (NTP).',
    )
}

async function keys(
  provider: ProviderSettings,
  config: oidc.Configuration,
  tell: Tell,
): Promise<void> {
  const { jwks_uri: address, id_token_signing_alg_values_supported: signs } =
    config.serverMetadata()
  if (signs && !signs.some((alg) => OWN_SIGNATURE.test(alg)))
    return void tell(
      'keys',
      false,
      `It signs with ${signs.join(', ')} only, which proves nothing to others: choose a ` +
        'signing key (RS256 or ES256) there.',
    )
  if (address === undefined)
    return void tell('keys', false, 'It does not say where its keys are (jwks_uri).')
  try {
    const found = await keysAt(provider, address)
    const usable = found.filter(
      (key) => key.use !== 'enc' && ['RSA', 'EC', 'OKP'].includes(key.kty ?? ''),
    )
    tell(
      'keys',
      usable.length > 0,
      usable.length > 0
        ? `It shows ${usable.length === 1 ? 'one key' : `${usable.length} keys`} that ID tokens may be signed with.`
        : 'It shows no key that an ID token may be signed with: choose a signing key there.',
    )
  } catch (error) {
    tell('keys', false, `${address}: ${whyNot(error)}`)
  }
}

interface ShownKey {
  readonly kty?: string
  readonly use?: string
}

async function keysAt(provider: ProviderSettings, address: string): Promise<ShownKey[]> {
  const answer = await fetchOf(provider)(address, {
    method: 'GET',
    headers: { accept: 'application/json' },
    redirect: 'manual',
    body: null,
  })
  if (answer.status !== 200) throw new Error(`it answers ${answer.status}`)
  const { keys } = (await answer.json()) as { keys?: unknown }
  if (!Array.isArray(keys)) throw new Error('that is no list of keys')
  return keys as ShownKey[]
}

function methods(provider: ProviderSettings, server: Server, tell: Tell): void {
  const known = server.token_endpoint_auth_methods_supported
  const wanted =
    provider['token-auth'] === 'default' ? null : `client_secret_${provider['token-auth']}`
  if (secretOf(provider) === '')
    tell('token-auth', true, 'There is no client-secret-file: Berth is a public client there.')
  else if (wanted !== null && known !== undefined && !known.includes(wanted))
    tell(
      'token-auth',
      false,
      `The setting token-auth says ${provider['token-auth']}, and it takes ${known.join(', ')} only.`,
    )
  else tell('token-auth', true, `The secret is sent as ${wanted ?? methodOf(server)}.`)
}

async function client(
  provider: ProviderSettings,
  config: oidc.Configuration,
  redirectUri: string,
  tell: Tell,
): Promise<void> {
  try {
    await oidc.genericGrantRequest(config, 'authorization_code', {
      code: NO_CODE,
      redirect_uri: redirectUri,
      code_verifier: oidc.randomPKCECodeVerifier(),
    })
    tell('client', false, 'It gave tokens for a code that it never gave out.')
  } catch (error) {
    if (isRefusedClient(error))
      tell(
        'client',
        false,
        `It does not know the client-id ${provider['client-id']}, or the secret in client-secret-file is wrong.`,
      )
    else if (error instanceof oidc.ResponseBodyError && !isNoAnswer(error))
      tell('client', true, `It knows the client-id ${provider['client-id']}.`)
    else tell('client', false, whyNot(error))
  }
}

function claims(provider: ProviderSettings, server: Server, tell: Tell): void {
  const wanted = provider.scope.split(/\s+/)
  const lacking = wanted.filter((scope) => server.scopes_supported?.includes(scope) === false)
  if (!wanted.includes('openid'))
    tell('scope', false, 'The setting scope has no openid: there would be no ID token.')
  else if (lacking.length > 0)
    tell(
      'scope',
      true,
      `It does not list the scope ${lacking.join(', ')}; it may know it all the same.`,
    )
  else tell('scope', true, `${provider.scope} is asked for.`)
  const list = server.claims_supported
  const absent = (claim: string): boolean =>
    list !== undefined && !list.includes(claim) && !list.includes(claim.split('.')[0] ?? '')
  const said = (setting: string, claim: string): string =>
    list === undefined
      ? `It does not say which claims it has: whether there is "${claim}" (${setting}) shows at a login.`
      : absent(claim)
        ? `It does not list the claim "${claim}" (${setting}): check it there if logins lack it.`
        : `It has the claim "${claim}" (${setting}).`
  tell('name', true, said('name-claim', provider['name-claim']))
  tell(
    'roles',
    true,
    Object.keys(provider.roles).length === 0
      ? 'The settings give no roles by groups: roles are given here.'
      : said('roles-claim', provider['roles-claim']),
  )
}
