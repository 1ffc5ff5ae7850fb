import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { Affected } from '../machines/act-dialogue.js'
import { Confirm } from '../parts/confirm.js'
import { CheckBox } from '../parts/fields.js'
import type { WithMachinesProps } from './maintain-hypervisor.js'

/** Takes a hypervisor out of Berth; the machines that are on it only by an extra word. */
export function RemoveHypervisor({
  hypervisor: { name },
  machines,
  desktops,
  close,
}: WithMachinesProps): ReactElement {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [force, setForce] = useState(false)
  const remove = useAct(
    async () => await api('DELETE', `${path`/hypervisors/${name}`}${force ? '?force=true' : ''}`),
  )
  return (
    <Confirm
      title={t('machines.askOne', { act: t('machines.acts.delete'), name })}
      action={t('machines.acts.delete')}
      danger
      typed={name}
      pending={remove.isPending}
      error={remove.error}
      close={close}
      onConfirm={() => {
        remove.mutate(undefined, {
          onSuccess: () => {
            void navigate('/hypervisors')
          },
        })
      }}
    >
      <p>{t('hypervisors.deleteMeans')}</p>
      {machines.length > 0 && (
        <>
          <Affected machines={machines} desktops={desktops} />
          <CheckBox
            label={t('hypervisors.forget', { count: machines.length })}
            value={force}
            onChange={setForce}
          />
        </>
      )}
    </Confirm>
  )
}
