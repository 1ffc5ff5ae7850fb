import { Grid, GridItem } from '@patternfly/react-core'
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

interface Wish {
  readonly name: string
  readonly from: string
  readonly hypervisors: readonly string[]
  readonly discardChanges: boolean
  readonly network: string
  readonly size: string
  readonly min: string
  readonly max: string
  readonly spares: string
  readonly memoryMib: string
  readonly vcpus: string
}
const NOTHING: Wish = {
  name: '',
  from: '',
  hypervisors: [],
  discardChanges: false,
  network: '',
  size: '2',
  min: '',
  max: '',
  spares: '',
  memoryMib: '',
  vcpus: '',
}
type PartProps = { readonly wish: Wish; readonly set: (part: Partial<Wish>) => void }

/**
 * A pool from a golden machine; the rest of its policy is set on its page afterwards, and starts
 * with what is usual.
 */
export function CreatePool({ close }: { close: () => void }): ReactElement {
  const { t } = useTranslation()
  const go = useNavigate()
  const [wish, setWish] = useState(NOTHING)
  const create = useAct(
    async () => await api<{ pool: Pool }>('POST', '/pools', { body: bodyOf(wish) }),
  )
  const set = (part: Partial<Wish>): void => {
    setWish({ ...wish, ...part })
  }
  return (
    <FormDialogue
      title={t('pools.create')}
      action={t('pools.create')}
      pending={create.isPending}
      error={create.error}
      isDisabled={wish.name === ''}
      wide
      close={close}
      onSubmit={() => {
        create.mutate(undefined, {
          onSuccess: ({ pool }) => {
            close()
            void go(`/pools/${pool.name}`)
          },
        })
      }}
    >
      <TextField
        label={t('pools.name')}
        isRequired
        value={wish.name}
        onChange={(name) => {
          set({ name })
        }}
        hint={t('pools.nameHint')}
      />
      <GoldenField wish={wish} set={set} />
      {wish.from !== '' && <Members wish={wish} set={set} />}
    </FormDialogue>
  )
}

/** The machine from which its machines are made. */
function GoldenField({ wish, set }: PartProps): ReactElement {
  const { t } = useTranslation()
  const machines = useGet<MachineList>('/machines', ['machines'])
  const golden = (machines.data?.machines ?? [])
    .filter(({ type }) => type !== 'vdi')
    .map(({ name, type }) => ({ value: name, name: `${name} (${t(`machineTypes.${type}`)})` }))
  return (
    <ChoiceField
      label={t('pools.from')}
      value={wish.from}
      onChange={(from) => {
        set({ from })
      }}
      hint={t('pools.fromHint')}
      choices={[{ value: '', name: t('pools.fromNothing') }, ...golden]}
    />
  )
}

function Members({ wish, set }: PartProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <Numbers wish={wish} set={set} />
      <Place wish={wish} set={set} />
      <CheckField
        label={t('pools.discardChanges')}
        value={wish.discardChanges}
        onChange={(discardChanges) => {
          set({ discardChanges })
        }}
      />
    </>
  )
}

/** How many, and how large each is; what is left empty is as it usually is. */
function Numbers({ wish, set }: PartProps): ReactElement {
  const { t } = useTranslation()
  const fields = [
    ['size', t('pools.size'), t('pools.sizeHint')],
    ['memoryMib', t('pools.memory'), t('pools.memoryHint')],
    ['vcpus', t('pools.vcpus'), t('pools.memoryHint')],
    ['min', t('policy.min'), t('pools.minHint')],
    ['max', t('policy.max'), t('pools.maxHint')],
    ['spares', t('policy.spares'), t('pools.sparesHint')],
  ] as const
  return (
    <Grid hasGutter>
      {fields.map(([key, label, hint]) => (
        <GridItem key={key} md={4}>
          <TextField
            label={label}
            type="number"
            value={wish[key]}
            onChange={(value) => {
              set({ [key]: value })
            }}
            hint={hint}
          />
        </GridItem>
      ))}
    </Grid>
  )
}

function Place({ wish, set }: PartProps): ReactElement {
  const { t } = useTranslation()
  const { data } = useGet<{ hypervisors: Hypervisor[] }>('/hypervisors', ['hypervisors'])
  return (
    <Grid hasGutter>
      <GridItem md={6}>
        <ManyField
          label={t('pools.hypervisors')}
          value={wish.hypervisors}
          onChange={(hypervisors) => {
            set({ hypervisors })
          }}
          hint={t('pools.hypervisorsHint')}
          choices={(data?.hypervisors ?? []).map(({ name }) => ({ value: name, name }))}
        />
      </GridItem>
      <GridItem md={6}>
        <TextField
          label={t('machines.network')}
          value={wish.network}
          onChange={(network) => {
            set({ network })
          }}
          hint={`${t('machines.networkAbout')}. ${t('pools.memoryHint')}`}
        />
      </GridItem>
    </Grid>
  )
}

function bodyOf({
  name,
  from,
  size,
  hypervisors,
  discardChanges,
  network,
  memoryMib,
  vcpus,
  min,
  max,
  spares,
}: Wish): Record<string, unknown> {
  if (from === '') return { name, size: 0 }
  const policy = numbers({ min, max, spares })
  return {
    name,
    from,
    size: Number(size),
    ...numbers({ memoryMib, vcpus }),
    ...(network.trim() === '' ? {} : { network: network.trim() }),
    ...(hypervisors.length === 0 ? {} : { hypervisors }),
    ...(discardChanges ? { discardChanges } : {}),
    ...(Object.keys(policy).length === 0 ? {} : { policy }),
  }
}

/** Those that are filled in. */
function numbers(fields: Readonly<Record<string, string>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([key, text]) =>
      text.trim() === '' ? [] : [[key, Number(text)]],
    ),
  )
}
