import { CliError, RefusalError } from './cli-error.js'
import { plainLine } from './plain-text.js'

/**
 * Shows an error on standard error: `berth: ` and the sentence, then its details, a line each.
 * `file` stands before faults of a file.
 */
export function reportError(error: CliError, file?: string): void {
  process.stderr.write(`berth: ${plainLine(error.message)}\n`)
  for (const detail of error.details) process.stderr.write(`  ${detailLine(detail, file)}\n`)
  if (error instanceof RefusalError && error.status >= 500 && error.requestId !== '')
    process.stderr.write(`  (request ${plainLine(error.requestId)} in the broker's log)\n`)
}

/** Faults as file:line:column: severity: message, the way compilers write them; anything else as it is. */
export function detailLine(detail: unknown, file = 'clients.xml'): string {
  if (typeof detail !== 'object' || detail === null) return plainLine(String(detail))
  const fields: Partial<Record<string, unknown>> = { ...detail }
  if (typeof fields['line'] !== 'number')
    return plainLine(
      typeof fields['message'] === 'string' ? fields['message'] : JSON.stringify(detail),
    )
  const place = `${file}:${fields['line']}:${String(fields['column'] ?? 1)}`
  const severity = String(fields['severity'] ?? 'error')
  return plainLine(`${place}: ${severity}: ${String(fields['message'] ?? '')}`)
}
