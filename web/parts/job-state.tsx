import type { TFunction } from 'i18next'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { Job, JobState, TargetState } from '../../broker/api/jobs.js'
import { type Feeling, StateLabel } from './state-label.js'

const JOB_FEELINGS: Readonly<Record<JobState, Feeling>> = {
  queued: 'quiet',
  running: 'busy',
  cancelling: 'busy',
  succeeded: 'good',
  partly: 'bad',
  failed: 'bad',
  cancelled: 'quiet',
}
const TARGET_FEELINGS: Readonly<Record<TargetState, Feeling>> = {
  pending: 'quiet',
  running: 'busy',
  done: 'good',
  failed: 'bad',
  skipped: 'info',
  cancelled: 'quiet',
}

/** What a job does, in the reader's language where there is a word for it. */
export function jobTitle(t: TFunction, job: Pick<Job, 'kind' | 'subject'>): string {
  return `${jobKind(t, job)}: ${job.subject}`
}

export function jobKind(t: TFunction, job: Pick<Job, 'kind'>): string {
  return t(`jobProgress.kinds.${job.kind}` as 'jobProgress.kinds.copy', { defaultValue: job.kind })
}

/** What is done to a target now, in the reader's language where there is a word for it. */
export function stepText(t: TFunction, step: string): string {
  return step === ''
    ? ''
    : t(`jobProgress.steps.${step}` as 'jobProgress.steps.write', { defaultValue: step })
}

export function JobStateLabel({ state }: { state: JobState }): ReactElement {
  const { t } = useTranslation()
  return <StateLabel feeling={JOB_FEELINGS[state]}>{t(`jobProgress.states.${state}`)}</StateLabel>
}

export function TargetStateLabel({ state }: { state: TargetState }): ReactElement {
  const { t } = useTranslation()
  return (
    <StateLabel feeling={TARGET_FEELINGS[state]}>
      {t(`jobProgress.targetStates.${state}`)}
    </StateLabel>
  )
}
