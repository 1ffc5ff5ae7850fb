import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Machine } from '../../broker/api/machines.js'
import type { Pool } from '../../broker/api/pools.js'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { api, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { ChoiceField, TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { nameOf } from './device-state.js'

const WAYS = ['machine', 'pool', 'file'] as const
type Way = (typeof WAYS)[number]

interface AssignDialogueProps {
  readonly device: ThinClient
  readonly close: () => void
}

/** A machine or a pool of its own; else what clients.xml says of it. */
export function AssignDialogue({ device, close }: AssignDialogueProps): ReactElement {
  const { t } = useTranslation()
  const [way, setWay] = useState<Way>(device.assignedPool === null ? 'machine' : 'pool')
  const [name, setName] = useState(device.assigned ?? device.assignedPool ?? '')
  const assign = useAct(
    async () =>
      await api('PUT', path`/thin-clients/${device.id}/assignment`, {
        body: way === 'file' ? { machine: null } : { [way]: name.trim() },
      }),
  )
  return (
    <FormDialogue
      title={t('thinClients.assignTitle', { name: nameOf(device) })}
      action={t('thinClients.deeds.assign')}
      pending={assign.isPending}
      error={assign.error}
      isDisabled={way !== 'file' && name.trim() === ''}
      onSubmit={() => {
        assign.mutate(undefined, { onSuccess: close })
      }}
      close={close}
    >
      <ChoiceField
        label={t('thinClients.gets')}
        value={way}
        onChange={(next) => {
          setWay(next)
          setName('')
        }}
        choices={WAYS.map((value) => ({ value, name: t(`thinClients.ways.${value}`) }))}
        hint={t('thinClients.assignHint')}
      />
      {way !== 'file' && <NameField kind={way} name={name} onChange={setName} />}
    </FormDialogue>
  )
}

interface NameFieldProps {
  readonly kind: Exclude<Way, 'file'>
  readonly name: string
  readonly onChange: (name: string) => void
}

function NameField({ kind, name, onChange }: NameFieldProps): ReactElement {
  const { t } = useTranslation()
  const machines = useGet<{ machines: Machine[] }>('/machines', ['machines'])
  const pools = useGet<{ pools: Pool[] }>('/pools', ['pools'])
  const known =
    kind === 'machine'
      ? machines.data?.machines.filter(({ type }) => type === 'vdi' || type === 'simple')
      : pools.data?.pools
  return (
    <TextField
      label={t(`kinds.${kind}`)}
      value={name}
      onChange={onChange}
      isRequired
      list={(known ?? []).map((one) => one.name)}
    />
  )
}
