import type { TFunction } from 'i18next'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import type { Machine } from '../../broker/api/machines.js'
import type { Pool } from '../../broker/api/pools.js'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { path } from '../api/client.js'
import { pageWays } from '../frame/page-ways.js'
import { byteText } from '../parts/amounts.js'
import { nameOf, waitsForSomebody } from '../thin-clients/device-state.js'

/** Below this share of free space somebody should look. */
const LITTLE_SPACE = 0.1

export interface Trouble {
  readonly key: string
  readonly to: string
  readonly name: string
  readonly what: string
  readonly why: string
}

export function hypervisorTroubles(
  t: TFunction,
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

export function machineTroubles(
  t: TFunction,
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

export function poolTroubles(t: TFunction, { name, counts }: Pool): Trouble[] {
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

/** A device that waits to be accepted, or that has no desktop to show. */
export function deviceTroubles(t: TFunction, device: ThinClient): Trouble[] {
  if (!waitsForSomebody(device)) return []
  return [
    {
      key: `thin client ${device.id}`,
      to: path`/thin-clients/${device.id}`,
      name: nameOf(device),
      what: t(device.accepted ? 'overview.noDesktopDevice' : 'overview.unknownDevice'),
      why: pageWays(t, device.sentence),
    },
  ]
}
