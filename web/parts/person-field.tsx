import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { User } from '../../broker/api/users.js'
import { useGet } from '../api/queries.js'
import { TextField } from './fields.js'

/**
 * The name of a person: those who are known are offered, and one who is not is told to be so; they
 * may still come from a directory.
 */
export function PersonField({
  label,
  value,
  onChange,
}: {
  label: string
  value: string
  onChange: (name: string) => void
}): ReactElement {
  const { t } = useTranslation()
  const { data } = useGet<{ users: User[] }>('/users', ['people'])
  const isUnknown =
    value.trim() !== '' &&
    data !== undefined &&
    !data.users.some(({ name }) => keyOf(name) === keyOf(value))
  return (
    <TextField
      label={label}
      isRequired
      value={value}
      onChange={onChange}
      list={(data?.users ?? []).map(({ name }) => name)}
      {...(isUnknown ? { hint: t('people.unknownYet') } : {})}
    />
  )
}

/** As the broker finds a person: case and the way accents are written do not matter. */
function keyOf(name: string): string {
  return name.normalize('NFC').trim().toLowerCase()
}
