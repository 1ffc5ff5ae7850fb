import { type ErrorCode, ERRORS } from './codes.js'
import { type ParametersOf, type Reason, REASONS } from './reasons.js'
import { filled, type Value } from './sentence.js'

/** `cause`: for the log only. `details`: listed faults, safe to show. */
interface ErrorExtras extends ErrorOptions {
  readonly details?: readonly unknown[]
}

/** A reason without parameters needs none. */
type Rest<R extends Reason> =
  ParametersOf<R> extends Readonly<Record<string, never>>
    ? [parameters?: ParametersOf<R>, extras?: ErrorExtras]
    : [parameters: ParametersOf<R>, extras?: ErrorExtras]

/** An error that may be shown; made by `refusal`, which knows what each reason needs. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: ErrorCode
  readonly details: readonly unknown[] | undefined

  constructor(
    readonly reason: Reason,
    readonly parameters: Readonly<Record<string, Value>>,
    extras: ErrorExtras = {},
  ) {
    super(filled(REASONS[reason].sentence, parameters), extras)
    this.code = REASONS[reason].code
    this.details = extras.details
  }

  get statusCode(): number {
    return ERRORS[this.code].status
  }
}

/** Returns the error to throw: `refusal('pool_being_deleted', { pool: pool.name })`. */
export function refusal<R extends Reason>(
  reason: R,
  ...[parameters, extras]: Rest<R>
): BrokerError {
  return new BrokerError(reason, parameters ?? {}, extras)
}

/** The sentence of any thrown value, for logs and for journals. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
