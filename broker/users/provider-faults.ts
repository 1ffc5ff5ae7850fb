import { BrokerError, sentenceOf } from '../errors/broker-error.js'

/** By the code of the fault: what Node says of names and connections. */
const NETWORK: Readonly<Record<string, string>> = {
  EAI_AGAIN: 'No name server answers just now, so its name cannot be looked up.',
  ENOTFOUND: 'The name servers know no such name: check the setting issuer.',
  ECONNREFUSED: 'It refuses the connection: nothing listens at that address and port.',
  ECONNRESET: 'It closed the connection.',
  ETIMEDOUT: 'It does not answer.',
  EHOSTUNREACH: 'There is no way to its address.',
  ENETUNREACH: 'There is no way to its network.',
  CERT_HAS_EXPIRED: 'Its certificate has expired.',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'Its certificate is of no CA that is trusted here: set ca-file.',
  SELF_SIGNED_CERT_IN_CHAIN: 'Its certificate is of no CA that is trusted here: set ca-file.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'Its certificate is of no CA that is trusted here: set ca-file.',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'Its certificate is of no CA that is trusted here: set ca-file.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Its certificate is for another name.',
  ENOENT: 'A file of the settings (ca-file or client-secret-file) does not exist.',
  EACCES: 'A file of the settings (ca-file or client-secret-file) may not be read by the broker.',
}
/** The library's codes (oauth4webapi) of a time in an ID token that is over, or not come yet. */
const TIMES = 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED'
const MOST_CAUSES = 6

/** Why a provider could not be reached, in a sentence; null when it is something else. */
export function networkReason(error: unknown): string | null {
  for (const at of causesOf(error)) {
    const known = NETWORK[(at as NodeJS.ErrnoException).code ?? '']
    if (known !== undefined) return known
    if (at.name === 'TimeoutError' || at.name === 'AbortError') return 'It does not answer in time.'
  }
  return null
}

/** What its token says of the time that cannot be by the broker's clock; null when that was not the fault. */
export function clockReason(error: unknown): string | null {
  const causes = [...causesOf(error)]
  if (!causes.some((at) => (at as NodeJS.ErrnoException).code === TIMES)) return null
  // The innermost says which of its times it was.
  const { claim } = (causes.at(-1)?.cause ?? {}) as { claim?: string }
  if (claim === 'nbf') return 'its answer is not valid yet'
  return claim === 'exp' ? 'its answer is over already' : 'the times in its answer cannot be'
}

/** One sentence: the innermost cause that has a name, else what the library says. */
export function whyNot(error: unknown): string {
  const known = networkReason(error)
  if (known !== null) return known
  if (error instanceof BrokerError) return error.message
  const said = sentenceOf(error).replace(/\.$/, '').slice(0, 200)
  const inner =
    error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : ''
  return `It does not answer as a provider should: ${said}${inner.slice(0, 200)}.`
}

/** The error and what it came from, the outermost first. */
function* causesOf(error: unknown): Generator<Error> {
  for (
    let at: unknown = error, depth = 0;
    at instanceof Error && depth < MOST_CAUSES;
    at = at.cause, depth++
  )
    yield at
}
