import type { Job } from '../../broker/api/jobs.js'

export interface CheckCounts {
  readonly ok: number
  readonly warnings: number
  readonly failed: number
  readonly skipped: number
  readonly [word: string]: number
}

/** How many checks of a job came to what; those that are still to be made count nowhere. */
export function countsOf({ targets }: Pick<Job, 'targets'>): CheckCounts {
  const count = (result: string): number =>
    targets.filter(({ finding }) => finding?.result === result).length
  return {
    ok: count('ok'),
    warnings: count('warning'),
    failed: count('failed'),
    skipped: count('skipped'),
  }
}
