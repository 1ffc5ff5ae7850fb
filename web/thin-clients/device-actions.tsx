import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { Actions } from '../parts/actions.js'
import type { Deed } from './deed-dialogue.js'
import { nameOf } from './device-state.js'

/** `text`: a button with this word instead of three dots. */
export function DeviceActions({
  device,
  onDeed,
  text,
}: {
  device: ThinClient
  onDeed: (deed: Deed) => void
  text?: string
}): ReactElement {
  const { t } = useTranslation()
  const off = device.accepted ? {} : { isDisabled: true, description: t('thinClients.acceptFirst') }
  const orders = (['message', 'reconnect', 'reboot'] as const).map((deed) => ({
    name: t(`thinClients.deeds.${deed}`),
    onClick: () => {
      onDeed(deed)
    },
    ...off,
  }))
  const others = (['assign', 'rename', 'accept'] as const).map((deed) => ({
    name: t(`thinClients.deeds.${deed}`),
    onClick: () => {
      onDeed(deed)
    },
  }))
  return (
    <Actions
      label={t('thinClients.actionsOf', { name: nameOf(device) })}
      {...(text === undefined ? {} : { text })}
      actions={[
        ...orders,
        ...others,
        {
          name: t('thinClients.deeds.forget'),
          isDanger: true,
          onClick: () => {
            onDeed('forget')
          },
        },
      ]}
    />
  )
}
