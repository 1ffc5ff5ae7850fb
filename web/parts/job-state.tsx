import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { JobState, TargetState } from '../../broker/api/jobs.js'
import { type Feeling, StateLabel } from './state-label.js'

const FEELINGS: Readonly<Record<JobState | TargetState, Feeling>> = {
  queued: 'quiet', running: 'busy', cancelling: 'busy', succeeded: 'good', partly: 'bad', failed: 'bad', cancelled: 'quiet', pending: 'quiet', done: 'good', skipped: 'quiet',
}

/** The state of a job, or of one of its targets. */
export function JobStateLabel ({ state }: { state: JobState | TargetState }): ReactElement {
  const { t } = useTranslation()
  return <StateLabel feeling={FEELINGS[state]}>{t(`jobs.states.${state}`)}</StateLabel>
}
