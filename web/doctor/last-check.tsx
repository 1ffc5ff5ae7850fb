import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { path } from '../api/client.js'
import { StateLabel } from '../parts/state-label.js'
import { hasEnded } from '../parts/use-job.js'
import { When } from '../parts/when.js'
import { countsOf } from './counts.js'
import { useChecks } from './use-checks.js'

/** How the latest check of a hypervisor ended, and when it was; leads to it. */
export function LastCheck({ name }: { name: string }): ReactElement {
  const { t } = useTranslation()
  const latest = useChecks(name, 1).data?.jobs[0]
  if (!latest) return <Link to={path`/hypervisors/${name}/check`}>–</Link>
  const { warnings, failed } = countsOf(latest)
  const shown = !hasEnded(latest)
    ? 'running'
    : failed > 0
      ? 'failed'
      : warnings > 0
        ? 'warning'
        : latest.state === 'cancelled'
          ? 'cancelled'
          : 'ok'
  const feeling = {
    running: 'busy',
    failed: 'bad',
    warning: 'warning',
    cancelled: 'quiet',
    ok: 'good',
  } as const
  return (
    <>
      <Link to={path`/hypervisors/${name}/check/${latest.id}`}>
        <StateLabel feeling={feeling[shown]}>{t(`doctor.results.${shown}`)}</StateLabel>
      </Link>{' '}
      <span className="berth-quiet">
        <When at={latest.createdAt} />
      </span>
    </>
  )
}
