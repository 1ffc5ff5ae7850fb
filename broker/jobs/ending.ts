import type { TargetState } from '../api/jobs.js'

/** How a job has ended whose targets are in these states; `isFault`: it has failed as a whole. Pure. */
export function stateAtEnd(
  targets: readonly TargetState[],
  isFault: boolean,
  isCancelled: boolean,
): 'cancelled' | 'failed' | 'partly' | 'succeeded' {
  if (isCancelled && (isFault || targets.includes('cancelled'))) return 'cancelled'
  if (isFault) return 'failed'
  if (!targets.includes('failed')) return 'succeeded'
  return targets.includes('done') || targets.includes('skipped') ? 'partly' : 'failed'
}

/** How many of them failed, for the reader; empty when none did. */
export function failuresIn(targets: readonly TargetState[]): string {
  const failed = targets.filter((state) => state === 'failed').length
  return failed === 0 ? '' : `${failed} of ${targets.length} failed.`
}
