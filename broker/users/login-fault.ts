import * as oidc from 'openid-client'
import { type BrokerError, refusal, sentenceOf } from '../errors/broker-error.js'
import type { ProviderSettings } from '../login-settings.js'
import { isNoAnswer, isRefusedClient } from './provider-connection.js'
import { clockReason, networkReason } from './provider-faults.js'

/** A login that failed, in one sentence for whoever wanted to log in. */
export function loginFault(provider: ProviderSettings, error: unknown): BrokerError {
  const extras = { cause: error }
  const about = { provider: provider.name }
  if (isNoAnswer(error)) return refusal('provider_busy', about, extras)
  if (isRefusedClient(error)) return refusal('provider_refuses_client', about, extras)
  if (error instanceof oidc.ResponseBodyError || error instanceof oidc.AuthorizationResponseError)
    return refusal('provider_refused_login', { ...about, said: error.error }, extras)
  if (isSharedKey(error)) return refusal('provider_shared_key', about, extras)
  const clock = clockReason(error)
  if (clock !== null) return refusal('provider_clock', { ...about, why: clock }, extras)
  const why = networkReason(error)
  if (why !== null) return refusal('provider_not_reached', { ...about, why }, extras)
  const said = sentenceOf(error).slice(0, 200)
  return refusal('provider_wrong_answer', { ...about, said }, extras)
}

/** Whether an ID token was refused since its header names an HMAC. */
function isSharedKey(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++)
    if (/\bHS(256|384|512)\b/.test(`${at.message} ${JSON.stringify(at.cause) ?? ''}`)) return true
  return false
}
