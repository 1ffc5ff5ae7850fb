import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import type { MachineList } from '../../broker/api/machines.js'
import type { Pool } from '../../broker/api/pools.js'
import { api } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { CheckField, ChoiceField, ManyField, TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'

interface Wish { readonly name: string, readonly from: string, readonly size: string, readonly hypervisors: readonly string[], readonly memoryMib: string, readonly discardChanges: boolean }
const NOTHING: Wish = { name: '', from: '', size: '2', hypervisors: [], memoryMib: '', discardChanges: false }

/** A pool from a golden machine; its policy is set on its page afterwards, and starts with what is usual. */
export function CreatePool ({ close }: { close: () => void }): ReactElement {
  const { t } = useTranslation()
  const go = useNavigate()
  const [wish, setWish] = useState(NOTHING)
  const machines = useGet<MachineList>('/machines', ['machines'])
  const hypervisors = useGet<{ hypervisors: Hypervisor[] }>('/hypervisors', ['hypervisors'])
  const create = useAct(async () => await api<{ pool: Pool }>('POST', '/pools', { body: bodyOf(wish) }))
  const set = (part: Partial<Wish>): void => { setWish({ ...wish, ...part }) }
  const golden = (machines.data?.machines ?? []).filter(({ type }) => type !== 'vdi').map(({ name, type }) => ({ value: name, name: `${name} (${t(`machineTypes.${type}`)})` }))
  return (
    <FormDialogue title={t('pools.create')} action={t('pools.create')} pending={create.isPending} error={create.error} isDisabled={wish.name === ''} close={close}
      onSubmit={() => { create.mutate(undefined, { onSuccess: ({ pool }) => { close(); void go(`/pools/${pool.name}`) } }) }}>
      <TextField label={t('pools.name')} isRequired value={wish.name} onChange={(name) => { set({ name }) }} hint={t('pools.nameHint')} />
      <ChoiceField label={t('pools.from')} value={wish.from} onChange={(from) => { set({ from }) }} hint={t('pools.fromHint')} choices={[{ value: '', name: t('pools.fromNothing') }, ...golden]} />
      {wish.from !== '' && (
        <>
          <TextField label={t('pools.size')} type="number" value={wish.size} onChange={(size) => { set({ size }) }} hint={t('pools.sizeHint')} />
          <TextField label={t('pools.memory')} type="number" value={wish.memoryMib} onChange={(memoryMib) => { set({ memoryMib }) }} hint={t('pools.memoryHint')} />
          <ManyField label={t('pools.hypervisors')} value={wish.hypervisors} onChange={(chosen) => { set({ hypervisors: chosen }) }} hint={t('pools.hypervisorsHint')} choices={(hypervisors.data?.hypervisors ?? []).map(({ name }) => ({ value: name, name }))} />
          <CheckField label={t('pools.discardChanges')} value={wish.discardChanges} onChange={(discardChanges) => { set({ discardChanges }) }} />
        </>
      )}
    </FormDialogue>
  )
}

function bodyOf ({ name, from, size, hypervisors, memoryMib, discardChanges }: Wish): Record<string, unknown> {
  if (from === '') return { name, size: 0 }
  return { name, from, size: Number(size), ...(memoryMib === '' ? {} : { memoryMib: Number(memoryMib) }), ...(hypervisors.length === 0 ? {} : { hypervisors }), ...(discardChanges ? { discardChanges } : {}) }
}
