import { CheckCircleIcon } from '@patternfly/react-icons/dist/esm/icons/check-circle-icon'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Pool } from '../../broker/api/pools.js'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import type { ApiError } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { sentenceOf } from '../frame/error-state.js'
import { useHypervisors } from '../hypervisors/use-hypervisors.js'
import { useMachines } from '../machines/use-machines.js'
import { StateLabel } from '../parts/state-label.js'
import {
  deviceTroubles,
  hypervisorTroubles,
  machineTroubles,
  poolTroubles,
  type Trouble,
} from './troubles.js'

const MOST_NAMED = 10

/**
 * What somebody should look at, the gravest first; each leads to where it can be mended. What could
 * not be asked for is said too, and hides nothing else.
 */
export function Attention(): ReactElement {
  const { t } = useTranslation()
  const { troubles, failed, isPending } = useTroubles()
  if (isPending) return <p className="berth-quiet">{t('common.loading')}</p>
  if (failed && troubles.length === 0) return <NotAll error={failed} />
  if (troubles.length === 0)
    return (
      <p>
        <CheckCircleIcon /> {t('overview.allWell')}
      </p>
    )
  return (
    <>
      {failed && <NotAll error={failed} />}
      <ul className="berth-rows">
        {troubles.slice(0, MOST_NAMED).map(({ key, to, name, what, why }) => (
          <li key={key}>
            <Link to={to}>{name}</Link>
            <StateLabel feeling="bad">{what}</StateLabel>
            <span className="berth-quiet">{why}</span>
          </li>
        ))}
      </ul>
      {troubles.length > MOST_NAMED && (
        <p>{t('machines.andMore', { count: troubles.length - MOST_NAMED })}</p>
      )}
    </>
  )
}

/** `failed`: the first that could not be asked for. */
function useTroubles(): {
  readonly troubles: readonly Trouble[]
  readonly failed: ApiError | null
  readonly isPending: boolean
} {
  const { t } = useTranslation()
  const hypervisors = useHypervisors()
  const machines = useMachines()
  const pools = useGet<{ pools: Pool[] }>('/pools', [
    'pools',
    'machines',
    'desktops',
    'generations',
  ])
  const devices = useGet<{ thinClients: ThinClient[] }>('/thin-clients', ['thin-clients'])
  const all = [hypervisors, machines, pools, devices]
  return {
    troubles: [
      ...(hypervisors.data?.hypervisors ?? []).flatMap((one) => hypervisorTroubles(t, one)),
      ...(machines.data?.machines ?? []).flatMap((one) => machineTroubles(t, one)),
      ...(pools.data?.pools ?? []).flatMap((pool) => poolTroubles(t, pool)),
      ...(devices.data?.thinClients ?? []).flatMap((device) => deviceTroubles(t, device)),
    ],
    failed: all.find(({ isError }) => isError)?.error ?? null,
    isPending: all.some(({ isPending }) => isPending),
  }
}

function NotAll({ error }: { error: ApiError }): ReactElement {
  const { t } = useTranslation()
  return <p role="alert">{t('overview.notAllSeen', { why: sentenceOf(t, error) })}</p>
}
