import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { Confirm } from '../parts/confirm.js'
import { AcceptDialogue } from './accept-dialogue.js'
import { AssignDialogue } from './assign-dialogue.js'
import { nameOf } from './device-state.js'
import { OrderDialogue } from './order-dialogue.js'
import { RenameDialogue } from './rename-dialogue.js'

export type Deed = 'message' | 'reconnect' | 'reboot' | 'assign' | 'accept' | 'rename' | 'forget'

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
  if (deed === 'accept') return <AcceptDialogue device={device} close={close} />
  if (deed === 'rename') return <RenameDialogue device={device} close={close} />
  if (deed === 'forget') return <Forget device={device} close={close} {...(gone ? { gone } : {})} />
  return <OrderDialogue kind={deed} devices={devices} close={close} />
}

function Forget({
  device,
  close,
  gone,
}: {
  device: ThinClient
  close: () => void
  gone?: () => void
}): ReactElement {
  const { t } = useTranslation()
  const act = useAct(async () => {
    await api('DELETE', path`/thin-clients/${device.id}`)
  })
  const confirm = (): void => {
    act.mutate(undefined, {
      onSuccess: () => {
        close()
        gone?.()
      },
    })
  }
  return (
    <Confirm
      title={t('thinClients.forgetTitle', { name: nameOf(device) })}
      action={t('thinClients.deeds.forget')}
      danger
      pending={act.isPending}
      error={act.error}
      onConfirm={confirm}
      close={close}
    >
      <p>{t('thinClients.forgetWhat', { mac: device.mac })}</p>
      {device.person !== null && <p>{t('thinClients.loggedOut', { name: device.person })}</p>}
    </Confirm>
  )
}
