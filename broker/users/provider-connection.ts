import { readFileSync } from 'node:fs'
import * as oidc from 'openid-client'
import type { ProviderSettings } from '../login-settings.js'
import { fetchTrusting } from './https-fetch.js'

const TIMEOUT_S = 10
/** Says that the provider could not answer, and nothing of the person (RFC 6749, 4.1.2.1). */
const NO_ANSWER: ReadonlySet<string> = new Set(['server_error', 'temporarily_unavailable'])
const TOO_MANY = 429

/** Asks a provider what it has. `onDate` hears what its answers say of its time. Throws what the library throws. */
export async function openProvider(
  provider: ProviderSettings,
  onDate?: (at: number) => void,
): Promise<oidc.Configuration> {
  const secret = secretOf(provider)
  const plain = fetchOf(provider)
  const dated: oidc.CustomFetch = async (url, options) => {
    const answer = await plain(url, options)
    onDate?.(Date.parse(answer.headers.get('date') ?? ''))
    return answer
  }
  return await oidc.discovery(
    new URL(provider.issuer),
    provider['client-id'],
    undefined,
    secret === '' ? oidc.None() : clientSecret(provider, secret),
    {
      timeout: TIMEOUT_S,
      execute: [oidc.enableNonRepudiationChecks],
      [oidc.customFetch]: dated,
    },
  )
}

export function fetchOf(provider: ProviderSettings): oidc.CustomFetch {
  return provider['ca-file'] === ''
    ? async (url, options) => await fetch(url, options as RequestInit)
    : fetchTrusting(provider['ca-file'])
}

/** Empty for a public client. */
export function secretOf(provider: ProviderSettings): string {
  const file = provider['client-secret-file']
  return file === '' ? '' : (readFileSync(file, 'utf8').split(/\r?\n/, 1)[0] ?? '')
}

/** How it takes the secret by its own word; Basic is the default of the standard (OpenID Connect Discovery 1.0, 3). */
export function methodOf(
  server: Pick<oidc.ServerMetadata, 'token_endpoint_auth_methods_supported'>,
): 'client_secret_basic' | 'client_secret_post' {
  const known = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  return !known.includes('client_secret_basic') && known.includes('client_secret_post')
    ? 'client_secret_post'
    : 'client_secret_basic'
}

function clientSecret(provider: ProviderSettings, secret: string): oidc.ClientAuth {
  const [basic, post] = [oidc.ClientSecretBasic(secret), oidc.ClientSecretPost(secret)]
  return (server, ...more) => {
    const wanted = provider['token-auth']
    const byPost =
      wanted === 'default' ? methodOf(server) === 'client_secret_post' : wanted === 'post'
    ;(byPost ? post : basic)(server, ...more)
  }
}

/** Whether the provider answered that it cannot answer: that is no refusal of a person. */
export function isNoAnswer(error: unknown): boolean {
  if (error instanceof oidc.AuthorizationResponseError) return NO_ANSWER.has(error.error)
  return (
    error instanceof oidc.ResponseBodyError &&
    (NO_ANSWER.has(error.error) || error.status >= 500 || error.status === TOO_MANY)
  )
}

/** Whether it refuses Berth itself as a client, not the person who logs in. */
export function isRefusedClient(error: unknown): boolean {
  return (
    (error instanceof oidc.ResponseBodyError &&
      ['invalid_client', 'unauthorized_client'].includes(error.error)) ||
    error instanceof oidc.WWWAuthenticateChallengeError
  )
}
