import { EXIT_CODES, type ExitName } from './exit-codes.js'

/**
 * An error that ends the command. `message`: one sentence for the reader. `details`: further lines,
 * or the broker's list of faults.
 */
export class CliError extends Error {
  override readonly name = 'CliError'

  constructor(
    readonly exit: ExitName,
    message: string,
    readonly details: readonly unknown[] = [],
    options: ErrorOptions = {},
  ) {
    super(message, options)
  }

  get exitCode(): number {
    return EXIT_CODES[this.exit].code
  }
}

/** A refusal by the broker. `code` and `status` are those of the API's table of errors. */
export class RefusalError extends CliError {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    details: readonly unknown[],
    readonly requestId: string,
  ) {
    super(exitOfRefusal(status, code), message, details)
  }
}

function exitOfRefusal(status: number, code: string): ExitName {
  if (code === 'shutting_down') return 'unreachable'
  return status === 401 || status === 403 ? 'forbidden' : 'refused'
}

/** The sentence of anything thrown. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
