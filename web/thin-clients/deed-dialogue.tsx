import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { Confirm } from '../parts/confirm.js'
import { AssignDialogue } from './assign-dialogue.js'
import { nameOf } from './device-state.js'
import { OrderDialogue } from './order-dialogue.js'

export type Deed = 'message' | 'reconnect' | 'reboot' | 'assign' | 'accept' | 'forget'

/** What is to be done with these devices; only orders go to several. */
export function DeedDialogue({
  deed,
  devices,
  close,
  gone,
}: {
  deed: Deed
  devices: readonly ThinClient[]
  close: () => void
  gone?: () => void
}): ReactElement | null {
  const [device] = devices
  if (!device) return null
  if (deed === 'assign') return <AssignDialogue device={device} close={close} />
  if (deed === 'accept' || deed === 'forget')
    return <Decision deed={deed} device={device} close={close} {...(gone ? { gone } : {})} />
  return <OrderDialogue kind={deed} devices={devices} close={close} />
}

function Decision({
  deed,
  device,
  close,
  gone,
}: {
  deed: 'accept' | 'forget'
  device: ThinClient
  close: () => void
  gone?: () => void
}): ReactElement {
  const { t } = useTranslation()
  const act = useAct(async () => {
    await (deed === 'accept'
      ? api('POST', path`/thin-clients/${device.id}/accept`)
      : api('DELETE', path`/thin-clients/${device.id}`))
  })
  const confirm = (): void => {
    act.mutate(undefined, {
      onSuccess: () => {
        close()
        if (deed === 'forget') gone?.()
      },
    })
  }
  return (
    <Confirm
      title={t(`thinClients.${deed}Title`, { name: nameOf(device) })}
      action={t(`thinClients.deeds.${deed}`)}
      danger={deed === 'forget'}
      pending={act.isPending}
      error={act.error}
      onConfirm={confirm}
      close={close}
    >
      <p>{t(`thinClients.${deed}What`, { mac: device.mac, address: device.address })}</p>
      {deed === 'forget' && device.person !== null && (
        <p>{t('thinClients.loggedOut', { name: device.person })}</p>
      )}
    </Confirm>
  )
}
