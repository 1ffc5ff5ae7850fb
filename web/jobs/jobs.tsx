import { Progress } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Job, JobList } from '../../broker/api/jobs.js'
import { useGet } from '../api/queries.js'
import { type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { jobKind, JobStateLabel, jobTitle } from '../parts/job-state.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { When } from '../parts/when.js'

const MOST = 200

const COLUMNS: ReadonlyArray<ColumnPlan<Job>> = [
  {
    key: 'created',
    name: (t) => t('jobs.asked'),
    cell: (job) => <When at={job.createdAt} />,
    value: (job) => -Date.parse(job.createdAt),
    width: 'minmax(7.5rem, 0.7fr)',
    wideOnly: true,
    rank: 1,
  },
  {
    key: 'kind',
    name: (t) => t('jobs.kind'),
    cell: (job, t) => <Link to={`/jobs/${job.id}`}>{jobKind(t, job)}</Link>,
    value: (job, t) => jobKind(t, job),
    width: 'minmax(7.5rem, 1.8fr)',
  },
  {
    key: 'subject',
    name: (t) => t('jobs.subject'),
    cell: (job) => job.subject,
    value: (job) => job.subject,
    width: 'minmax(5rem, 1.2fr)',
  },
  {
    key: 'state',
    name: (t) => t('jobs.state'),
    cell: (job) => <JobStateLabel state={job.state} />,
    value: (job, t) => t(`jobProgress.states.${job.state}`),
    width: 'minmax(6.5rem, 0.8fr)',
  },
  {
    key: 'progress',
    name: (t) => t('jobs.progress'),
    cell: (job) => <JobBar job={job} />,
    value: (job) => (job.total === 0 ? 0 : job.done / job.total),
    wideOnly: true,
    rank: 4,
  },
  {
    key: 'by',
    name: (t) => t('jobs.by'),
    cell: (job) => job.createdBy,
    value: (job) => job.createdBy,
    wideOnly: true,
    rank: 5,
  },
  {
    key: 'message',
    name: (t) => t('jobs.message'),
    cell: (job) => <span title={job.message}>{job.message}</span>,
    value: (job) => job.message,
    width: 'minmax(8rem, 2fr)',
    wideOnly: true,
    rank: 3,
  },
]

/** What the broker does and has done that takes longer than a moment. */
export function Jobs(): ReactElement {
  const { t } = useTranslation()
  const jobs = useGet<JobList>(`/jobs?limit=${MOST}`, ['jobs'])
  const columns = useColumns(COLUMNS)
  return (
    <>
      <PageHead title={t('navigation.jobs')} about={t('jobs.about', { count: MOST })} />
      <Loaded query={jobs}>
        {({ jobs: rows }) => (
          <DataTable
            label={t('navigation.jobs')}
            rows={rows}
            columns={columns}
            idOf={(job) => job.id}
            nameOf={(job) => jobTitle(t, job)}
            empty={t('jobs.none')}
          />
        )}
      </Loaded>
    </>
  )
}

/** How many of its targets have ended. */
export function JobBar({
  job,
}: {
  job: Pick<Job, 'kind' | 'subject' | 'done' | 'total'>
}): ReactElement {
  const { t } = useTranslation()
  return (
    <Progress
      size="sm"
      aria-label={t('jobs.progressOf', { job: jobTitle(t, job) })}
      measureLocation="outside"
      value={job.total === 0 ? 0 : Math.round((job.done / job.total) * 100)}
      label={`${job.done}/${job.total}`}
    />
  )
}
