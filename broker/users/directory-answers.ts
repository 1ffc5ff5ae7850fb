import {
  AdminLimitExceededError,
  InappropriateAuthError,
  InvalidCredentialsError,
  NoSuchObjectError,
  SizeLimitExceededError,
  TimeLimitExceededError,
} from 'ldapts'
import { sentenceOf } from '../errors/broker-error.js'
import type { PlainReason } from '../errors/reasons.js'

/**
 * Why an account may not log in although it exists. `proven`: told only after a right password, so
 * that the person may hear it.
 */
export interface AccountState {
  readonly code: string
  readonly reason: PlainReason
  readonly proven: boolean
}

/**
 * All that a directory can answer to a password. Only `wrong` is a no: who cannot be asked, is busy
 * or unwilling has said nothing about the password.
 */
export type PasswordAnswer =
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'refused'; readonly state: AccountState }
  | { readonly kind: 'could-not-say'; readonly cause: unknown }

/**
 * Active Directory's reasons behind "invalid credentials" (MS-ERREF, in hex); all but the lock are
 * given after a right password only.
 */
const STATES: Readonly<Record<string, readonly [reason: PlainReason, proven: boolean]>> = {
  '530': ['account_hours', true],
  '531': ['account_computer', true],
  '532': ['account_password_expired', true],
  '533': ['account_disabled_there', true],
  '701': ['account_expired', true],
  '773': ['account_password_change', true],
  '775': ['account_locked', false],
  '52f': ['account_restricted', false],
}
/**
 * Also behind "invalid credentials": no logon server, no domain, and calls to other controllers
 * that failed or were too many.
 */
const FAULTS: readonly string[] = ['51f', '54b', '6ba', '6bb', '6be', '6bf']

/** What the failure of a bind with somebody's password means. Pure. */
export function answerOfFailure(error: unknown): PasswordAnswer {
  if (error instanceof NoSuchObjectError) return { kind: 'wrong' }
  if (error instanceof InappropriateAuthError)
    return {
      kind: 'refused',
      state: {
        code: 'no-password',
        reason: 'account_without_password',
        proven: false,
      },
    }
  if (!(error instanceof InvalidCredentialsError)) return { kind: 'could-not-say', cause: error }
  const code = subCode(error.message)
  if (FAULTS.includes(code)) return { kind: 'could-not-say', cause: error }
  const state = STATES[code]
  return state
    ? { kind: 'refused', state: { code, reason: state[0], proven: state[1] } }
    : { kind: 'wrong' }
}

/** `80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 532, v3839` */
function subCode(message: string): string {
  return (
    /\bAcceptSecurityContext error, data ([0-9a-f]{1,8})\b/i.exec(message)?.[1]?.toLowerCase() ?? ''
  )
}

/** Whether a search ended at a bound of the server's or ours, so that what it would have found is not known. */
export function isLimit(error: unknown): boolean {
  return (
    error instanceof TimeLimitExceededError ||
    error instanceof SizeLimitExceededError ||
    error instanceof AdminLimitExceededError ||
    sentenceOf(error).endsWith('Operation timed out') // the library's own bound has no class
  )
}
