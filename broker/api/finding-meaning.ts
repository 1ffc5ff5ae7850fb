/**
 * warning: it works, and somebody should look. skipped: it could not be looked at, since something
 * before it failed.
 */
export const FINDING_RESULTS = ['ok', 'warning', 'failed', 'skipped'] as const
export type FindingResult = (typeof FINDING_RESULTS)[number]

/** What a finding says, and what to do about it. */
export interface Meaning {
  readonly result: FindingResult
  readonly sentence: string
  readonly advice: string
}
export const ok = (sentence: string): Meaning => ({ result: 'ok', sentence, advice: '' })
export const warning = (sentence: string, advice: string): Meaning => ({
  result: 'warning',
  sentence,
  advice,
})
export const failed = (sentence: string, advice: string): Meaning => ({
  result: 'failed',
  sentence,
  advice,
})
