import type { Fault } from '../api/clients-xml.js'

/** A fault and where it stands in the text. */
export interface FoundFault {
  readonly offset: number
  readonly message: string
  readonly severity: Fault['severity']
}

const MOST_FAULTS = 1_000

/**
 * Faults in the order of the text. Nobody reads more than the first thousand, and each costs time:
 * the last one says how many there are besides.
 */
export function told(found: readonly FoundFault[]): FoundFault[] {
  const faults = [...found].sort((a, b) => a.offset - b.offset)
  const [shown, rest] = [faults.slice(0, MOST_FAULTS), faults.slice(MOST_FAULTS)]
  const [first] = rest
  if (!first) return shown
  return [
    ...shown,
    {
      offset: first.offset,
      message: `${rest.length} more faults from here on are not listed`,
      severity: rest.some(({ severity }) => severity === 'error') ? 'error' : 'warning',
    },
  ]
}
