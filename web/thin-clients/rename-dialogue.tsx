import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { nameOf } from './device-state.js'

/** A name for the administrator's lists; it gives the device nothing. */
export function RenameDialogue({
  device,
  close,
}: {
  device: ThinClient
  close: () => void
}): ReactElement {
  const { t } = useTranslation()
  const [name, setName] = useState(device.name)
  const rename = useAct(
    async () => await api('PATCH', path`/thin-clients/${device.id}`, { body: { name } }),
  )
  return (
    <FormDialogue
      title={t('thinClients.renameTitle', { name: nameOf(device) })}
      action={t('thinClients.deeds.rename')}
      pending={rename.isPending}
      error={rename.error}
      onSubmit={() => {
        rename.mutate(undefined, { onSuccess: close })
      }}
      close={close}
    >
      <TextField label={t('thinClients.name')} value={name} onChange={setName} />
    </FormDialogue>
  )
}
