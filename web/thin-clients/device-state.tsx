import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { OrderState } from '../../broker/api/device-orders.js'
import type { Asker, ThinClient } from '../../broker/api/thin-clients.js'
import { pageWays } from '../frame/page-ways.js'
import { type Feeling, StateLabel } from '../parts/state-label.js'
import { When } from '../parts/when.js'

const FEELINGS: Readonly<Record<NonNullable<ThinClient['state']>, Feeling>> = {
  ready: 'good',
  starting: 'busy',
  maintenance: 'maintenance',
  waiting: 'busy',
  login: 'info',
  choose: 'info',
  unknown: 'bad',
}
const ORDER_FEELINGS: Readonly<Record<OrderState['state'], Feeling>> = {
  pending: 'busy',
  sent: 'busy',
  done: 'good',
  refused: 'bad',
  unsupported: 'bad',
  'not-reached': 'bad',
}

export function nameOf({
  name,
  hostname,
  mac,
}: Pick<ThinClient, 'name' | 'hostname' | 'mac'>): string {
  return [name, hostname].find((one) => one !== '') ?? mac
}

/** What tells those that ask apart: the code on the screen of each, and from where it comes. */
export function askerLine({ code, address }: Asker): string {
  return `${code} (${address})`
}

/**
 * It gets nothing until somebody decides: it is not accepted, or it stands there and is given no
 * desktop. One of which nothing is known yet is none of these.
 */
export function waitsForSomebody({
  accepted,
  here,
  state,
}: Pick<ThinClient, 'accepted' | 'here' | 'state'>): boolean {
  return !accepted || (here && state === 'unknown')
}

/** What it was told last; one that is away is not shown as if it still saw that. */
export function DeviceState({ device }: { device: ThinClient }): ReactElement {
  const { t } = useTranslation()
  if (!device.accepted)
    return (
      <StateLabel feeling="bad" title={pageWays(t, device.sentence)}>
        {t('thinClients.notAccepted')}
      </StateLabel>
    )
  if (!device.here)
    return (
      <StateLabel feeling="quiet" title={device.sentence}>
        {t('thinClients.away')}
      </StateLabel>
    )
  if (device.state === null && device.showing === null)
    return (
      <StateLabel feeling="quiet" title={device.sentence}>
        {t('thinClients.notAsked')}
      </StateLabel>
    )
  // What it shows since before a restart of the broker it was told to show.
  const state = device.state ?? 'ready'
  return (
    <StateLabel feeling={FEELINGS[state]} title={device.sentence}>
      {t(`thinClients.states.${state}`)}
    </StateLabel>
  )
}

export function LastSeen({ device }: { device: ThinClient }): ReactElement {
  const { t } = useTranslation()
  return device.here ? <>{t('thinClients.now')}</> : <When at={device.lastSeen} />
}

export function OrderLabel({ order }: { order: OrderState }): ReactElement {
  const { t } = useTranslation()
  return (
    <StateLabel feeling={ORDER_FEELINGS[order.state]}>
      {t(`thinClients.orderStates.${order.state}`)}
    </StateLabel>
  )
}
