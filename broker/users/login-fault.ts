import * as oidc from 'openid-client'
import { BrokerError, sentenceOf } from '../errors.js'
import type { ProviderSettings } from '../login-settings.js'
import { isNoAnswer, isRefusedClient } from './provider-connection.js'
import { clockReason, networkReason } from './provider-faults.js'

/** A login that failed, in one sentence for whoever wanted to log in. */
export function loginFault(provider: ProviderSettings, error: unknown): BrokerError {
  if (isNoAnswer(error))
    return new BrokerError(
      'provider_unreachable',
      `The login provider ${provider.name} cannot answer just now: try again later.`,
      { cause: error },
    )
  if (isRefusedClient(error))
    return new BrokerError(
      'provider_unreachable',
      `The login provider ${provider.name} does not take Berth's client-id or secret: an ` +
        'administrator has to check the settings ("berth provider test").',
      { cause: error },
    )
  if (error instanceof oidc.ResponseBodyError || error instanceof oidc.AuthorizationResponseError)
    return new BrokerError(
      'unauthenticated',
      `The login provider ${provider.name} refused the login (${error.error}): begin again.`,
      { cause: error },
    )
  if (isSharedKey(error))
    return new BrokerError(
      'provider_unreachable',
      `The login provider ${provider.name} signs with the client's secret (HS256), which ` +
        'proves nothing to others: an administrator has to choose a signing key (RS256 or ' +
        'ES256) there.',
      { cause: error },
    )
  const clock = clockReason(error)
  if (clock !== null)
    return new BrokerError(
      'provider_unreachable',
      `The clocks of the login provider ${provider.name} and of the broker differ: by the ` +
        `broker's, ${clock}. An administrator has to let both follow the same time (NTP).`,
      { cause: error },
    )
  const why = networkReason(error)
  if (why !== null)
    return new BrokerError(
      'provider_unreachable',
      `The login provider ${provider.name} cannot be asked. ${why} Try again later, or ask an administrator.`,
      { cause: error },
    )
  return new BrokerError(
    'provider_unreachable',
    `The login provider ${provider.name} did not answer as it should (${sentenceOf(error).slice(0, 200)}).`,
    { cause: error },
  )
}

/** Whether an ID token was refused since its header names an HMAC. */
function isSharedKey(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++)
    if (/\bHS(256|384|512)\b/.test(`${at.message} ${JSON.stringify(at.cause) ?? ''}`)) return true
  return false
}
