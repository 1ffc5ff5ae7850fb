import { CheckCircleIcon } from '@patternfly/react-icons/dist/esm/icons/check-circle-icon'
import type { TFunction } from 'i18next'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import type { Machine } from '../../broker/api/machines.js'
import type { Pool } from '../../broker/api/pools.js'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { type ApiError, path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { sentenceOf } from '../frame/error-state.js'
import { pageWays } from '../frame/page-ways.js'
import { useHypervisors } from '../hypervisors/use-hypervisors.js'
import { useMachines } from '../machines/use-machines.js'
import { byteText } from '../parts/amounts.js'
import { StateLabel } from '../parts/state-label.js'
import { nameOf as deviceName, waitsForSomebody } from '../thin-clients/device-state.js'

/** Below this share of free space somebody should look. */
const LITTLE_SPACE = 0.1
const MOST_NAMED = 10

interface Trouble {
  readonly key: string
  readonly to: string
  readonly name: string
  readonly what: string
  readonly why: string
}

/**
 * What somebody should look at, the gravest first; each leads to where it can be mended. What could
 * not be asked for is said too, and hides nothing else.
 */
export function Attention(): ReactElement {
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
  const troubles = [
    ...(hypervisors.data?.hypervisors ?? []).flatMap((one) => hypervisorTroubles(t, one)),
    ...(machines.data?.machines ?? []).flatMap((one) => machineTroubles(t, one)),
    ...(pools.data?.pools ?? []).flatMap((pool) => poolTroubles(t, pool)),
    ...(devices.data?.thinClients ?? []).filter(waitsForSomebody).map((device) => ({
      key: `thin client ${device.id}`,
      to: path`/thin-clients/${device.id}`,
      name: deviceName(device),
      what: t(device.accepted ? 'overview.noDesktopDevice' : 'overview.unknownDevice'),
      why: pageWays(t, device.sentence),
    })),
  ]
  const failed = [hypervisors, machines, pools, devices].find(({ isError }) => isError)?.error
  if ([hypervisors, machines, pools, devices].some(({ isPending }) => isPending))
    return <p className="berth-quiet">{t('common.loading')}</p>
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

function NotAll({ error }: { error: ApiError }): ReactElement {
  const { t } = useTranslation()
  return <p role="alert">{t('overview.notAllSeen', { why: sentenceOf(t, error) })}</p>
}

type Words = TFunction

function hypervisorTroubles(
  t: Words,
  { name, state, reason, capacity, observed }: Hypervisor,
): Trouble[] {
  const common = { to: path`/hypervisors/${name}`, name }
  const full =
    capacity !== null && capacity.imagesFreeBytes < LITTLE_SPACE * capacity.imagesTotalBytes
  const unseen = state === 'up' && !observed.current && observed.reason !== ''
  return [
    ...(unseen
      ? [{ ...common, key: `unseen ${name}`, what: t('hypervisors.unseen'), why: reason }]
      : []),
    ...(state === 'unreachable'
      ? [
          {
            ...common,
            key: `hypervisor ${name}`,
            what: t('hypervisors.states.unreachable'),
            why: reason,
          },
        ]
      : []),
    ...(full
      ? [
          {
            ...common,
            key: `disk ${name}`,
            what: t('overview.diskFilling'),
            why: t('overview.free', { free: byteText(capacity.imagesFreeBytes) }),
          },
        ]
      : []),
  ]
}

function machineTroubles(
  t: Words,
  { id, name, power, powerReason, viewersUnknown }: Machine,
): Trouble[] {
  if (power === 'running' && viewersUnknown !== '')
    return [
      {
        key: id,
        to: path`/machines/${name}`,
        name,
        what: t('machines.viewersUnknown'),
        why: viewersUnknown,
      },
    ]
  return power === 'crashed' || power === 'missing'
    ? [
        {
          key: id,
          to: path`/machines/${name}`,
          name,
          what: t(`machines.powers.${power}`),
          why: powerReason,
        },
      ]
    : []
}

function poolTroubles(t: Words, { name, counts }: Pool): Trouble[] {
  const failed = counts['failed'] ?? 0
  return failed === 0
    ? []
    : [
        {
          key: `pool ${name}`,
          to: path`/pools/${name}`,
          name,
          what: t('overview.failedDesktops', { count: failed }),
          why: '',
        },
      ]
}
