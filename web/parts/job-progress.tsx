import {
  Button,
  Card,
  CardBody,
  CardHeader,
  CardTitle,
  Progress,
  ProgressVariant,
} from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Job, JobTarget, TargetState } from '../../broker/api/jobs.js'
import { path } from '../api/client.js'
import { ErrorState } from '../frame/error-state.js'
import { byteText } from './amounts.js'
import { CancelJob } from './cancel-job.js'
import './job-progress.css'
import { JobStateLabel, jobTitle, stepText, TargetStateLabel } from './job-state.js'
import { hasEnded, useJob } from './use-job.js'

/** What went wrong is to be seen first, then what goes on. */
const TARGET_ORDER: readonly TargetState[] = [
  'failed',
  'running',
  'skipped',
  'pending',
  'cancelled',
  'done',
]
/** More lines than this are shown when they are asked for. */
const FIRST_LINES = 30

interface JobProgressProps {
  readonly id: string
  readonly mayCancel: boolean
  readonly close?: () => void
}

/** A job while it goes on: its progress, every machine with its step and result, and the way to cancel it. */
export function JobProgress({ id, mayCancel, close }: JobProgressProps): ReactElement {
  const { t } = useTranslation()
  const { job, error } = useJob(id)
  if (error !== null && job === null)
    return (
      <ErrorState
        error={error}
        again={() => {
          location.reload()
        }}
      />
    )
  const title = job === null ? t('common.loading') : jobTitle(t, job)
  return (
    <Card isCompact className="berth-job" component="section" aria-label={title}>
      <CardHeader
        {...(close
          ? {
              actions: {
                actions: (
                  <Button variant="plain" aria-label={t('jobProgress.hide')} onClick={close}>
                    ×
                  </Button>
                ),
                hasNoOffset: true,
              },
            }
          : {})}
      >
        <CardTitle component="h2">
          <span className="berth-job-title">
            <Link to={path`/jobs/${id}`}>{title}</Link>
            {job !== null && <JobStateLabel state={job.state} />}
          </span>
        </CardTitle>
      </CardHeader>
      {job !== null && (
        <CardBody>
          <JobBody job={job} mayCancel={mayCancel} />
        </CardBody>
      )}
    </Card>
  )
}

function JobBody({ job, mayCancel }: { job: Job; mayCancel: boolean }): ReactElement {
  const { t } = useTranslation()
  const failed = job.targets.filter(({ state }) => state === 'failed').length
  const variant =
    failed > 0
      ? { variant: ProgressVariant.danger }
      : job.state === 'succeeded'
        ? { variant: ProgressVariant.success }
        : {}
  return (
    <>
      <div className="berth-job-head" role="status">
        <Progress
          aria-label={jobTitle(t, job)}
          value={job.total === 0 ? 100 : (100 * job.done) / job.total}
          label={t('jobProgress.of', { done: job.done, total: job.total })}
          measureLocation="outside"
          size="sm"
          {...variant}
        />
        {failed > 0 && <span>{t('jobProgress.failed', { count: failed })}</span>}
        {mayCancel && !hasEnded(job) && <CancelJob job={job} />}
      </div>
      {job.message !== '' && <p className="berth-about">{job.message}</p>}
      <Targets targets={job.targets} />
    </>
  )
}

function Targets({ targets }: { targets: readonly JobTarget[] }): ReactElement {
  const { t } = useTranslation()
  const [all, setAll] = useState(false)
  const sorted = targets
    .map((target, index) => ({ target, index }))
    .sort(
      (one, other) =>
        TARGET_ORDER.indexOf(one.target.state) - TARGET_ORDER.indexOf(other.target.state) ||
        one.index - other.index,
    )
  const shown = all ? sorted : sorted.slice(0, FIRST_LINES)
  return (
    <>
      <ul className="berth-targets" aria-label={t('jobProgress.targets')}>
        {shown.map(({ target }) => (
          <TargetLine key={target.name} target={target} />
        ))}
      </ul>
      {shown.length < sorted.length && (
        <Button
          variant="link"
          isInline
          onClick={() => {
            setAll(true)
          }}
        >
          {t('jobProgress.showAll', { count: sorted.length })}
        </Button>
      )}
    </>
  )
}

function TargetLine({
  target: { name, state, step, message, done, total },
}: {
  target: JobTarget
}): ReactElement {
  const { t } = useTranslation()
  const bytes = total > 0 && state === 'running' ? ` ${byteText(done)} / ${byteText(total)}` : ''
  const now = stepText(t, step)
  return (
    <li>
      <span className="berth-target-name">{name}</span>
      <TargetStateLabel state={state} />
      <span className="berth-quiet">{state === 'running' ? `${now}${bytes}` : ''}</span>
      {total > 0 && state === 'running' && (
        <progress value={done} max={total} aria-label={`${name}: ${now}`} />
      )}
      {message !== '' && <span className="berth-target-message">{message}</span>}
    </li>
  )
}
