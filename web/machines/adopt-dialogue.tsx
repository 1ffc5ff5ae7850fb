import { useQueryClient } from '@tanstack/react-query'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type {
  ForeignDomain as Domain,
  MachinesAndJob,
  MachineType,
} from '../../broker/api/machines.js'
import { api, type ApiError, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { Confirm } from '../parts/confirm.js'
import { ParentField, TypeField } from './type-fields.js'
import { useMachines } from './use-machines.js'

interface AdoptDialogueProps {
  readonly domain: Domain
  readonly close: () => void
}

/** Asks as what a domain becomes a machine of Berth. */
export function AdoptDialogue({ domain, close }: AdoptDialogueProps): ReactElement {
  const { t } = useTranslation()
  const [type, setType] = useState<MachineType>('simple')
  const [parent, setParent] = useState('')
  const machines = useMachines().data?.machines ?? []
  const adopt = useAdopt(domain)
  return (
    <Confirm
      title={t('machines.adoptOne', { name: domain.name })}
      action={t('machines.adoptButton')}
      pending={adopt.isPending}
      error={adopt.error}
      close={close}
      onConfirm={() => {
        adopt.begin(type, parent)
      }}
    >
      <TypeField
        type={type}
        onChange={(chosen) => {
          setType(chosen)
          setParent('')
        }}
      />
      <ParentField type={type} machines={machines} parent={parent} onChange={setParent} />
    </Confirm>
  )
}

/** Adopts a domain; then its page is shown. */
function useAdopt({ hypervisor, name }: Domain): {
  readonly isPending: boolean
  readonly error: ApiError | null
  readonly begin: (type: MachineType, parent: string) => void
} {
  const navigate = useNavigate()
  const client = useQueryClient()
  const { mutate, isPending, error } = useAct(
    async (as: { type: MachineType; parent?: string }) =>
      await api<MachinesAndJob>('POST', '/machines/adopt', { body: { hypervisor, name, ...as } }),
  )
  const onSuccess = (): void => {
    void client.invalidateQueries({ queryKey: ['get', path`/hypervisors/${hypervisor}/domains`] })
    void navigate(path`/machines/${name}`)
  }
  const begin = (type: MachineType, parent: string): void => {
    mutate({ type, ...(parent === '' ? {} : { parent }) }, { onSuccess })
  }
  return { isPending, error, begin }
}
