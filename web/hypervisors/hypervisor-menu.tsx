import type { TFunction } from 'i18next'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import { path } from '../api/client.js'
import { Actions } from '../parts/actions.js'
import { EditHypervisor } from './edit-hypervisor.js'
import { HostKeyDialogue } from './host-key-dialogue.js'
import { MaintainHypervisor, type WithMachinesProps } from './maintain-hypervisor.js'
import { RemoveHypervisor } from './remove-hypervisor.js'

const ASKED = ['maintenance', 'edit', 'hostKey', 'delete'] as const
type Asking = (typeof ASKED)[number]

/** What can be done with a hypervisor. */
export function HypervisorMenu(props: Omit<WithMachinesProps, 'close'>): ReactElement {
  const { t } = useTranslation()
  const [asking, setAsking] = useState<Asking | null>(null)
  const { hypervisor } = props
  const close = (): void => {
    setAsking(null)
  }
  const navigate = useNavigate()
  return (
    <>
      <Actions
        label={t('machines.actionsOf', { name: hypervisor.name })}
        text={t('machines.actions')}
        actions={[
          {
            name: t('drain.short'),
            onClick: () => {
              void navigate(path`/hypervisors/${hypervisor.name}/drain`)
            },
          },
          ...ASKED.map((one) => ({
            name: nameOf(t, one, hypervisor),
            isDanger: one === 'delete',
            onClick: () => {
              setAsking(one)
            },
          })),
        ]}
      />
      {asking === 'maintenance' && <MaintainHypervisor {...props} close={close} />}
      {asking === 'edit' && <EditHypervisor hypervisor={hypervisor} close={close} />}
      {asking === 'hostKey' && <HostKeyDialogue hypervisor={hypervisor} close={close} />}
      {asking === 'delete' && <RemoveHypervisor {...props} close={close} />}
    </>
  )
}

function nameOf(t: TFunction, asking: Asking, { maintenance }: Hypervisor): string {
  if (asking === 'maintenance')
    return t(maintenance ? 'machines.acts.maintenanceOff' : 'machines.acts.maintenanceOn')
  return asking === 'delete' ? t('machines.acts.delete') : t(`hypervisors.${asking}`)
}
