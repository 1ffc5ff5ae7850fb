import { FormSection } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { type Machine, MACHINE_TYPES, type MachineType } from '../../broker/api/machines.js'
import { CheckField, ChoiceField, TextField } from './fields.js'
import { PARENT_TYPE, type Wish } from './machine-wish.js'

export interface WishProps {
  readonly wish: Wish
  readonly set: (change: Partial<Wish>) => void
}

interface KindFieldsProps extends WishProps {
  readonly machines: readonly Machine[]
}

/** What is made: its type, its names, how many. */
export function KindFields({ wish, set, machines }: KindFieldsProps): ReactElement {
  const { t } = useTranslation()
  const parentType = PARENT_TYPE[wish.type]
  const parents = machines.filter(({ type }) => type === parentType).map(({ name }) => name)
  return (
    <FormSection title={t('machines.what')} titleElement="h2">
      <ChoiceField
        id="type"
        label={t('machines.type')}
        value={wish.type}
        set={(value) => {
          set({ type: value as MachineType, parent: '' })
        }}
        options={MACHINE_TYPES.map((value) => ({ value, name: t(`machines.types.${value}`) }))}
        about={t(`machines.typeMeanings.${wish.type}`)}
      />
      {parentType !== null && <Parent wish={wish} set={set} names={parents} />}
      <TextField
        id="name"
        label={t('machines.name')}
        required
        value={wish.name}
        set={(name) => {
          set({ name })
        }}
        about={t('machines.nameAbout')}
      />
      <Counts wish={wish} set={set} />
      {parentType === null && (
        <TextField
          id="disk"
          label={t('machines.disk')}
          number
          value={wish.diskGib}
          set={(diskGib) => {
            set({ diskGib })
          }}
        />
      )}
      {wish.type === 'vdi' && <Discards wish={wish} set={set} />}
    </FormSection>
  )
}

function Parent({ wish, set, names }: WishProps & { names: readonly string[] }): ReactElement {
  const { t } = useTranslation()
  return (
    <ChoiceField
      id="parent"
      label={t('machines.parent')}
      required
      value={wish.parent}
      set={(value) => {
        set({ parent: value })
      }}
      options={[
        { value: '', name: t('machines.chooseParent') },
        ...names.map((name) => ({ value: name, name })),
      ]}
      about={names.length === 0 ? t('machines.noParents') : ''}
    />
  )
}

/** How many, and from which number on. */
function Counts({ wish, set }: WishProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <TextField
        id="count"
        label={t('machines.count')}
        number
        value={wish.count}
        set={(count) => {
          set({ count })
        }}
      />
      {Number(wish.count) > 1 && (
        <TextField
          id="first"
          label={t('machines.first')}
          number
          value={wish.first}
          set={(first) => {
            set({ first })
          }}
        />
      )}
    </>
  )
}

/** Whether changes are thrown away, and when. */
function Discards({ wish, set }: WishProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <CheckField
        id="discard"
        label={t('machines.virtualSnapshot')}
        about={t('machines.discards')}
        value={wish.discardChanges}
        set={(discardChanges) => {
          set({ discardChanges })
        }}
      />
      {wish.discardChanges && (
        <CheckField
          id="discard-reboot"
          label={t('machines.discardOnReboot')}
          value={wish.discardOnReboot}
          set={(discardOnReboot) => {
            set({ discardOnReboot })
          }}
        />
      )}
    </>
  )
}
