import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { Finding } from '../../broker/api/checks.js'
import type { FindingResult } from '../../broker/api/finding-meaning.js'
import type { JobTarget } from '../../broker/api/jobs.js'
import { pageWays } from '../frame/page-ways.js'
import { type Feeling, StateLabel } from '../parts/state-label.js'

type Shown = FindingResult | 'pending' | 'running' | 'cancelled'
const FEELINGS: Readonly<Record<Shown, Feeling>> = {
  ok: 'good',
  warning: 'warning',
  failed: 'bad',
  skipped: 'quiet',
  pending: 'quiet',
  running: 'busy',
  cancelled: 'quiet',
}

/** One check: how it is, what was seen, and in sentences what is wrong and what to do. */
export function CheckLine({
  target: { name, state, finding },
}: {
  target: JobTarget
}): ReactElement {
  const { t } = useTranslation()
  const shown: Shown =
    finding?.result ?? (state === 'running' || state === 'cancelled' ? state : 'pending')
  return (
    <li className={`berth-check berth-check-${shown}`}>
      <StateLabel feeling={FEELINGS[shown]}>{t(`doctor.results.${shown}`)}</StateLabel>
      <span className="berth-check-name">
        {t(`doctor.checks.${name}` as 'doctor.checks.name', { defaultValue: name })}
      </span>
      <div className="berth-check-says">
        {finding?.says.map((said, index) => (
          <Said
            key={said.code + said.sentence}
            said={said}
            seen={index === 0 ? finding.measured : ''}
          />
        ))}
      </div>
    </li>
  )
}

/** In the reader's language where the catalogue has it; the broker's own words otherwise. */
function Said({
  said: { code, values, sentence, advice },
  seen,
}: {
  said: Finding['says'][number]
  seen: string
}): ReactElement {
  const { t } = useTranslation()
  const told = (part: 'sentence' | 'advice', words: string): string =>
    pageWays(t, t(`findings.${code}.${part}` as 'doctor.list', { ...values, defaultValue: words }))
  return (
    <p>
      {told('sentence', sentence)}
      {seen !== '' && (
        <>
          {' '}
          <span className="berth-check-seen berth-mono">{seen}</span>
        </>
      )}
      {advice !== '' && <strong className="berth-check-advice">{told('advice', advice)}</strong>}
    </p>
  )
}
