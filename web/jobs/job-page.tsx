import {
  Alert,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
} from '@patternfly/react-core'
import type { ReactElement, ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { useParams } from 'react-router'
import type { Job, JobTarget } from '../../broker/api/jobs.js'
import type { Session } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { CancelJob } from '../parts/cancel-job.js'
import { type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { JobStateLabel, jobTitle, stepText, TargetStateLabel } from '../parts/job-state.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { hasEnded } from '../parts/use-job.js'
import { Instant } from '../parts/when.js'
import { JobBar } from './jobs.js'

/** One job with each of its targets. */
export function JobPage({ session }: { session: Session }): ReactElement {
  const { id = '' } = useParams()
  const job = useGet<Job>(path`/jobs/${id}`, ['jobs'])
  return <Loaded query={job}>{(data) => <Details job={data} session={session} />}</Loaded>
}

function Details({ job, session }: { job: Job; session: Session }): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <PageHead title={jobTitle(t, job)} above={[{ to: '/jobs', name: t('navigation.jobs') }]}>
        <JobStateLabel state={job.state} />
        {!hasEnded(job) && session.role === 'admin' && <CancelJob job={job} />}
      </PageHead>
      {job.message !== '' && (
        <Alert
          isInline
          variant={job.state === 'failed' || job.state === 'partly' ? 'danger' : 'info'}
          title={job.message}
        />
      )}
      <DescriptionList isHorizontal isCompact columnModifier={{ default: '1Col', lg: '2Col' }}>
        <Term name={t('jobs.by')}>{job.createdBy}</Term>
        <Term name={t('jobs.asked')}>
          <Instant at={job.createdAt} />
        </Term>
        <Term name={t('jobs.started')}>
          <Instant at={job.startedAt} />
        </Term>
        <Term name={t('jobs.finished')}>
          <Instant at={job.finishedAt} />
        </Term>
        <Term name={t('jobs.progress')}>
          <JobBar job={job} />
        </Term>
      </DescriptionList>
      <Targets targets={job.targets} />
    </>
  )
}

function Term({ name, children }: { name: string; children: ReactNode }): ReactElement {
  return (
    <DescriptionListGroup>
      <DescriptionListTerm>{name}</DescriptionListTerm>
      <DescriptionListDescription>{children}</DescriptionListDescription>
    </DescriptionListGroup>
  )
}

const TARGETS: ReadonlyArray<ColumnPlan<JobTarget>> = [
  {
    key: 'name',
    name: (t) => t('jobs.target'),
    cell: (target) => target.name,
    value: (target) => target.name,
  },
  {
    key: 'state',
    name: (t) => t('jobs.state'),
    cell: (target) => <TargetStateLabel state={target.state} />,
    value: (target, t) => t(`jobProgress.targetStates.${target.state}`),
    width: 'minmax(6.5rem, 0.7fr)',
  },
  {
    key: 'step',
    name: (t) => t('jobs.step'),
    cell: (target, t) =>
      target.total > 0 && target.state === 'running'
        ? `${stepText(t, target.step)} ${Math.floor((target.done / target.total) * 100)} %`
        : stepText(t, target.step),
    value: (target, t) => stepText(t, target.step),
    width: 'minmax(5rem, 1fr)',
    wideOnly: true,
    rank: 1,
  },
  {
    key: 'message',
    name: (t) => t('jobs.message'),
    cell: (target) => <span title={target.message}>{target.message}</span>,
    value: (target) => target.message,
    width: 'minmax(8rem, 3fr)',
  },
]

function Targets({ targets }: { targets: readonly JobTarget[] }): ReactElement {
  const { t } = useTranslation()
  const columns = useColumns(TARGETS)
  return (
    <DataTable
      label={t('jobs.targets')}
      rows={targets}
      columns={columns}
      idOf={(target) => target.name}
      nameOf={(target) => target.name}
      empty={t('jobs.noTargets')}
    />
  )
}
