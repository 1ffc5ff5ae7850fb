import { FormSection } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { Machine } from '../../broker/api/machines.js'
import { CheckField, TextField } from '../parts/fields.js'
import { PARENT_TYPE, type Wish } from './machine-wish.js'
import { ParentField, TypeField } from './type-fields.js'

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
  return (
    <FormSection title={t('machines.what')} titleElement="h2">
      <TypeField
        type={wish.type}
        onChange={(type) => {
          set({ type, parent: '' })
        }}
      />
      <ParentField
        type={wish.type}
        machines={machines}
        parent={wish.parent}
        onChange={(parent) => {
          set({ parent })
        }}
        isRequired
      />
      <TextField
        label={t('machines.name')}
        isRequired
        value={wish.name}
        onChange={(name) => {
          set({ name })
        }}
        hint={t('machines.nameAbout')}
      />
      <Counts wish={wish} set={set} />
      {PARENT_TYPE[wish.type] === null && (
        <TextField
          label={t('machines.disk')}
          type="number"
          value={wish.diskGib}
          onChange={(diskGib) => {
            set({ diskGib })
          }}
        />
      )}
      {wish.type === 'vdi' && <Discards wish={wish} set={set} />}
    </FormSection>
  )
}

/** How many, and from which number on. */
function Counts({ wish, set }: WishProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <TextField
        label={t('machines.count')}
        type="number"
        value={wish.count}
        onChange={(count) => {
          set({ count })
        }}
      />
      {Number(wish.count) > 1 && (
        <TextField
          label={t('machines.first')}
          type="number"
          value={wish.first}
          onChange={(first) => {
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
        label={t('machines.virtualSnapshot')}
        hint={t('machines.discards')}
        value={wish.discardChanges}
        onChange={(discardChanges) => {
          set({ discardChanges })
        }}
      />
      {wish.discardChanges && (
        <CheckField
          label={t('machines.discardOnReboot')}
          value={wish.discardOnReboot}
          onChange={(discardOnReboot) => {
            set({ discardOnReboot })
          }}
        />
      )}
    </>
  )
}
