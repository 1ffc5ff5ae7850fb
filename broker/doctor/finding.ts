import { type Finding, type FindingCode, FINDINGS } from '../api/checks.js'
import { FINDING_RESULTS } from '../api/finding-meaning.js'
import { filled } from '../errors/sentence.js'

/** One thing that a check says, before it is put into words. */
export interface Said {
  readonly code: FindingCode
  readonly values?: Readonly<Record<string, string | number>>
}
/** What a check came to: `measured` for the eye, and everything there is to say. */
export interface Judgement {
  readonly measured: string
  readonly says: readonly Said[]
}

/** The gravest first. */
const GRAVITY = ['failed', 'warning', 'skipped', 'ok'] as const satisfies ReadonlyArray<
  (typeof FINDING_RESULTS)[number]
>

export function says(measured: string, ...all: readonly Said[]): Judgement {
  return { measured, says: all }
}

/** Faults where there are any, else what is said when all is well. */
export function faultsOr(faults: readonly Said[], well: Said, measured: string): Judgement {
  return { measured, says: faults.length > 0 ? faults : [well] }
}

/** Puts a judgement into words, the gravest first. */
export function findingOf({ measured, says }: Judgement): Finding {
  const rank = ({ code }: Said): number => GRAVITY.indexOf(FINDINGS[code].result)
  const sorted = [...says].sort((one, other) => rank(one) - rank(other))
  const [gravest] = sorted
  return {
    result: gravest === undefined ? 'ok' : FINDINGS[gravest.code].result,
    measured,
    says: sorted.map(({ code, values = {} }) => {
      const texts = Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, String(value)]),
      )
      return {
        code,
        values: texts,
        sentence: filled(FINDINGS[code].sentence, texts),
        advice: filled(FINDINGS[code].advice, texts),
      }
    }),
  }
}
