import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { type Machine, MACHINE_TYPES, type MachineType } from '../../broker/api/machines.js'
import { ChoiceField } from '../parts/fields.js'
import { PARENT_TYPE } from './machine-wish.js'

interface TypeFieldProps {
  readonly type: MachineType
  readonly onChange: (type: MachineType) => void
}

/** Of which type a machine is, and what that means. */
export function TypeField({ type, onChange }: TypeFieldProps): ReactElement {
  const { t } = useTranslation()
  return (
    <ChoiceField
      label={t('machines.type')}
      value={type}
      onChange={onChange}
      choices={MACHINE_TYPES.map((value) => ({ value, name: t(`machines.types.${value}`) }))}
      hint={t(`machines.typeMeanings.${type}`)}
    />
  )
}

interface ParentFieldProps {
  readonly type: MachineType
  /** All that there are; those of the right type are offered. */
  readonly machines: readonly Machine[]
  readonly parent: string
  readonly onChange: (parent: string) => void
  readonly isRequired?: boolean
}

/** The machine from which one of this type is made; nothing where it is made from none. */
export function ParentField({
  type,
  machines,
  parent,
  onChange,
  isRequired = false,
}: ParentFieldProps): ReactElement | null {
  const { t } = useTranslation()
  const parentType = PARENT_TYPE[type]
  if (parentType === null) return null
  const parents = machines.filter((one) => one.type === parentType)
  return (
    <ChoiceField
      label={t('machines.parent')}
      isRequired={isRequired}
      value={parent}
      onChange={onChange}
      choices={[
        { value: '', name: t('machines.chooseParent') },
        ...parents.map(({ name }) => ({ value: name, name })),
      ]}
      hint={isRequired && parents.length === 0 ? t('machines.noParents') : ''}
    />
  )
}
