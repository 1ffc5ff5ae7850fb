import { Card, CardBody, CardHeader, CardTitle } from '@patternfly/react-core'
import type { ReactElement, ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Desktop, DesktopList } from '../../broker/api/assignments.js'
import type { JobList } from '../../broker/api/jobs.js'
import type { Pool } from '../../broker/api/pools.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { DiskBar, HypervisorLabel, MemoryBar } from '../hypervisors/hypervisor-label.js'
import { useHypervisors } from '../hypervisors/use-hypervisors.js'
import { JobStateLabel, jobTitle } from '../parts/job-state.js'
import { holderPath, useHolderNames } from '../parts/holders.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { hasEnded } from '../parts/use-job.js'
import { When } from '../parts/when.js'
import { Attention } from './attention.js'
import { History } from './history.js'
import './overview.css'

/** The site at a glance; what needs somebody's attention comes first. */
export function Overview(): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <PageHead title={t('navigation.overview')} />
      <div className="berth-overview">
        <Part title={t('overview.attention')} wide>
          <Attention />
        </Part>
        <Part title={t('navigation.hypervisors')} to="/hypervisors">
          <Hypervisors />
        </Part>
        <Part title={t('navigation.pools')} to="/pools">
          <Pools />
        </Part>
        <Part title={t('overview.connected')}>
          <Connected />
        </Part>
        <Part title={t('overview.jobs')} to="/jobs">
          <Jobs />
        </Part>
        <History />
      </div>
    </>
  )
}

function Part({
  title,
  to,
  wide = false,
  children,
}: {
  title: string
  to?: string
  wide?: boolean
  children: ReactNode
}): ReactElement {
  return (
    <Card
      isCompact
      component="section"
      aria-label={title}
      className={wide ? 'berth-overview-wide' : ''}
    >
      <CardHeader>
        <CardTitle component="h2">
          {to === undefined ? title : <Link to={to}>{title}</Link>}
        </CardTitle>
      </CardHeader>
      <CardBody>{children}</CardBody>
    </Card>
  )
}

function Hypervisors(): ReactElement {
  const { t } = useTranslation()
  return (
    <Loaded query={useHypervisors()}>
      {({ hypervisors }) =>
        hypervisors.length === 0 ? (
          <p className="berth-quiet">{t('hypervisors.none')}</p>
        ) : (
          <ul className="berth-rows">
            {hypervisors.map((one) => (
              <li key={one.name} className="berth-row-4">
                <Link to={path`/hypervisors/${one.name}`}>{one.name}</Link>
                <HypervisorLabel hypervisor={one} />
                <Named name={t('overview.memory')}>
                  <MemoryBar hypervisor={one} />
                </Named>
                <Named name={t('overview.disk')}>
                  <DiskBar hypervisor={one} />
                </Named>
              </li>
            ))}
          </ul>
        )
      }
    </Loaded>
  )
}

function Named({ name, children }: { name: string; children: ReactNode }): ReactElement {
  return (
    <div className="berth-named">
      <span className="berth-quiet">{name}</span>
      {children}
    </div>
  )
}

const STATES = ['assigned', 'free', 'building', 'cleaning', 'failed', 'deleting'] as const

function Pools(): ReactElement {
  const { t } = useTranslation()
  const pools = useGet<{ pools: Pool[] }>('/pools', [
    'pools',
    'machines',
    'desktops',
    'generations',
  ])
  return (
    <Loaded query={pools}>
      {({ pools: all }) =>
        all.length === 0 ? (
          <p className="berth-quiet">{t('overview.noPools')}</p>
        ) : (
          <ul className="berth-rows">
            {all.map(({ name, counts, waiting, generations }) => (
              <li key={name}>
                <Link to={path`/pools/${name}`}>{name}</Link>
                <span>
                  {STATES.filter((state) => (counts[state] ?? 0) > 0)
                    .map((state) => `${t(`overview.members.${state}`)}: ${counts[state] ?? 0}`)
                    .join(', ')}
                  {waiting > 0 && `, ${t('overview.waiting', { count: waiting })}`}
                </span>
                <span className="berth-quiet">
                  {generations
                    .map((one) =>
                      t(one.current ? 'overview.onCurrent' : 'overview.onGeneration', one),
                    )
                    .join(' · ')}
                </span>
              </li>
            ))}
          </ul>
        )
      }
    </Loaded>
  )
}

const MOST_PEOPLE = 12

function Connected(): ReactElement {
  const { t } = useTranslation()
  const desktops = useGet<DesktopList>('/desktops', ['desktops', 'sessions'])
  const nameOf = useHolderNames((desktops.data?.desktops ?? []).map(({ holder }) => holder))
  const isHere = ({ phase }: Desktop): boolean => phase === 'connected' || phase === 'grace'
  return (
    <Loaded query={desktops}>
      {({ desktops: all }) => {
        const here = all.filter(isHere)
        return (
          <>
            <p>
              <span className="berth-figure">{here.length}</span>{' '}
              {t('overview.ofAssigned', { count: all.length })}
            </p>
            <ul className="berth-rows">
              {here.slice(0, MOST_PEOPLE).map(({ machine, holder, connectedAt }) => (
                <li key={machine}>
                  <strong>
                    <Link to={holderPath(holder)}>{nameOf(holder)}</Link>
                  </strong>
                  <Link to={path`/machines/${machine}`}>{machine}</Link>
                  <span className="berth-quiet">
                    <When at={connectedAt} />
                  </span>
                </li>
              ))}
            </ul>
            {here.length > MOST_PEOPLE && (
              <Link to="/machines?power=connected">
                {t('jobProgress.showAll', { count: here.length })}
              </Link>
            )}
          </>
        )
      }}
    </Loaded>
  )
}

function Jobs(): ReactElement {
  const { t } = useTranslation()
  const jobs = useGet<JobList>('/jobs?limit=20', ['jobs'])
  return (
    <Loaded query={jobs}>
      {({ jobs: all }) => {
        const running = all.filter((job) => !hasEnded(job))
        return running.length === 0 ? (
          <p className="berth-quiet">{t('overview.noJobs')}</p>
        ) : (
          <ul className="berth-rows">
            {running.map((job) => (
              <li key={job.id}>
                <Link to={path`/jobs/${job.id}`}>{jobTitle(t, job)}</Link>
                <JobStateLabel state={job.state} />
                <span>{t('jobProgress.of', { done: job.done, total: job.total })}</span>
              </li>
            ))}
          </ul>
        )
      }}
    </Loaded>
  )
}
