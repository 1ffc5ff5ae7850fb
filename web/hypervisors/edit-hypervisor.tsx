import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { Confirm } from '../parts/confirm.js'
import { TextField } from '../parts/fields.js'

/** As it is typed. */
interface Edited {
  readonly displayAddress: string
  readonly listenAddress: string
  readonly maxStarts: string
}

interface EditHypervisorProps {
  readonly hypervisor: Hypervisor
  readonly close: () => void
}

/** Changes where its screens are reached, and how many machines it starts at once. */
export function EditHypervisor({ hypervisor, close }: EditHypervisorProps): ReactElement {
  const { t } = useTranslation()
  const [edited, setEdited] = useState<Edited>({
    displayAddress: hypervisor.displayAddress,
    listenAddress: hypervisor.listenAddressSetting,
    maxStarts: String(hypervisor.maxStarts),
  })
  const change = useAct(
    async () =>
      await api('PATCH', path`/hypervisors/${hypervisor.name}`, {
        body: patchOf(hypervisor, edited),
      }),
  )
  return (
    <Confirm
      title={t('machines.changeTitle', { name: hypervisor.name })}
      action={t('machines.save')}
      pending={change.isPending}
      error={change.error}
      close={close}
      onConfirm={() => {
        change.mutate(undefined, { onSuccess: close })
      }}
    >
      <EditFields
        edited={edited}
        set={(part) => {
          setEdited((before) => ({ ...before, ...part }))
        }}
      />
    </Confirm>
  )
}

function patchOf(hypervisor: Hypervisor, edited: Edited): object {
  const { displayAddress, listenAddress, maxStarts } = edited
  return {
    maxStarts: Number(maxStarts),
    ...(displayAddress === hypervisor.displayAddress ? {} : { displayAddress }),
    ...(listenAddress === hypervisor.listenAddressSetting ? {} : { listenAddress }),
  }
}

interface EditFieldsProps {
  readonly edited: Edited
  readonly set: (part: Partial<Edited>) => void
}

function EditFields({ edited, set }: EditFieldsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <TextField
        label={t('hypervisors.displayAddress')}
        value={edited.displayAddress}
        onChange={(displayAddress) => {
          set({ displayAddress })
        }}
        hint={t('hypervisors.displayAbout')}
      />
      <TextField
        label={t('hypervisors.listenAddress')}
        value={edited.listenAddress}
        onChange={(listenAddress) => {
          set({ listenAddress })
        }}
        hint={t('hypervisors.displayAbout')}
      />
      <TextField
        label={t('hypervisors.maxStarts')}
        type="number"
        value={edited.maxStarts}
        onChange={(maxStarts) => {
          set({ maxStarts })
        }}
      />
    </>
  )
}
