import {
  Alert,
  Button,
  EmptyState,
  EmptyStateBody,
  Progress,
  ProgressVariant,
} from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate, useParams } from 'react-router'
import type { CheckStarted } from '../../broker/api/checks.js'
import type { Job } from '../../broker/api/jobs.js'
import type { Session } from '../../broker/api/users.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { ErrorAlert, ErrorState } from '../frame/error-state.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { hasEnded, useJob } from '../parts/use-job.js'
import { Instant, When } from '../parts/when.js'
import './check-page.css'
import { CheckLine } from './check-line.js'
import { countsOf } from './counts.js'
import { useChecks } from './use-checks.js'

/** The checks of a hypervisor: one that its address names, else the latest. */
export function CheckPage({ session }: { session: Session }): ReactElement {
  const { name = '', job = '' } = useParams()
  const { t } = useTranslation()
  return (
    <>
      <PageHead
        title={t('doctor.title', { name })}
        above={[
          { to: '/hypervisors', name: t('navigation.hypervisors') },
          { to: path`/hypervisors/${name}`, name },
        ]}
      >
        {session.role === 'admin' && (
          <CheckButton name={name} text={t(job === '' ? 'doctor.check' : 'doctor.again')} />
        )}
      </PageHead>
      {job === '' ? <Latest name={name} /> : <Checks key={job} id={job} />}
    </>
  )
}

/** Begins a check and goes to where it is shown. */
export function CheckButton({ name, text }: { name: string; text: string }): ReactElement {
  const navigate = useNavigate()
  const check = useAct(
    async () => await api<CheckStarted>('POST', path`/hypervisors/${name}/check`),
  )
  const begin = (): void => {
    check.mutate(undefined, {
      onSuccess: ({ job }) => {
        void navigate(path`/hypervisors/${name}/check/${job}`)
      },
    })
  }
  return (
    <>
      <ErrorAlert error={check.error} />
      <Button
        variant="secondary"
        isLoading={check.isPending}
        isDisabled={check.isPending}
        onClick={begin}
      >
        {text}
      </Button>
    </>
  )
}

function Latest({ name }: { name: string }): ReactElement {
  const { t } = useTranslation()
  const checks = useChecks(name, 1)
  return (
    <Loaded query={checks}>
      {({ jobs: [latest] }) =>
        latest ? (
          <Checks key={latest.id} id={latest.id} />
        ) : (
          <EmptyState headingLevel="h2" titleText={t('doctor.never', { name })}>
            <EmptyStateBody>{t('doctor.neverAbout')}</EmptyStateBody>
          </EmptyState>
        )
      }
    </Loaded>
  )
}

function Checks({ id }: { id: string }): ReactElement {
  const { t } = useTranslation()
  const { job, error } = useJob(id)
  if (job === null)
    return error === null ? (
      <p className="berth-loading">{t('common.loading')}</p>
    ) : (
      <ErrorState
        error={error}
        again={() => {
          location.reload()
        }}
      />
    )
  return (
    <>
      <Head job={job} />
      <ol className="berth-checks" aria-label={t('doctor.list')}>
        {job.targets.map((target) => (
          <CheckLine key={target.name} target={target} />
        ))}
      </ol>
    </>
  )
}

function Head({ job }: { job: Job }): ReactElement {
  const { t } = useTranslation()
  const counts = countsOf(job)
  const variant =
    counts.failed > 0
      ? { variant: ProgressVariant.danger }
      : counts.warnings > 0
        ? { variant: ProgressVariant.warning }
        : hasEnded(job)
          ? { variant: ProgressVariant.success }
          : {}
  const well = job.state === 'succeeded' && counts.ok === job.total
  return (
    <div className="berth-checks-head" role="status">
      <Progress
        aria-label={t('doctor.title', { name: job.subject })}
        value={job.total === 0 ? 0 : (100 * job.done) / job.total}
        label={t('jobProgress.of', { done: job.done, total: job.total })}
        measureLocation="outside"
        size="sm"
        {...variant}
      />
      <span>
        {well ? t('doctor.allWell') : hasEnded(job) ? t('doctor.sum', counts) : t('doctor.runs')}
      </span>
      <span className="berth-quiet">
        {t('doctor.begun')} <When at={job.createdAt} /> (<Instant at={job.createdAt} />
        ), {t('doctor.by', { who: job.createdBy })} ·{' '}
        <Link to={path`/jobs/${job.id}`}>{job.id}</Link>
      </span>
      {job.state === 'cancelled' && <Alert isInline variant="info" title={t('doctor.cancelled')} />}
    </div>
  )
}
