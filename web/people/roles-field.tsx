import {
  FormGroup,
  FormHelperText,
  HelperText,
  HelperTextItem,
  Label,
  LabelGroup,
  TextInputGroup,
  TextInputGroupMain,
} from '@patternfly/react-core'
import { type KeyboardEvent, type ReactElement, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useGet } from '../api/queries.js'
import { rolesIn } from './roles.js'

interface RolesFieldProps {
  readonly value: readonly string[]
  readonly onChange: (roles: readonly string[]) => void
}

/**
 * Roles, each a label of its own, as their names may have spaces. Comma and Enter end a name;
 * Backspace takes the last one away.
 */
export function RolesField({ value, onChange }: RolesFieldProps): ReactElement {
  const { t } = useTranslation()
  const id = useId()
  const [typed, setTyped] = useState('')
  const add = (text: string): void => {
    onChange([...new Set([...value, ...rolesIn(text)])])
    setTyped('')
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Backspace' && typed === '') onChange(value.slice(0, -1))
    if (event.key !== 'Enter' || typed.trim() === '') return
    event.preventDefault() // it ends the name, not the form
    add(typed)
  }
  return (
    <FormGroup label={t('people.roles')} fieldId={id}>
      <TextInputGroup>
        <TextInputGroupMain
          inputId={id}
          aria-label={t('people.roles')}
          value={typed}
          onChange={(_event, text) => {
            text.includes(',') ? add(text) : setTyped(text)
          }}
          onBlur={() => {
            add(typed)
          }}
          inputProps={{ onKeyDown, list: `${id}-known`, autoComplete: 'off' }}
        >
          {value.length > 0 && <ChosenRoles value={value} onChange={onChange} />}
        </TextInputGroupMain>
      </TextInputGroup>
      <KnownRoles id={`${id}-known`} but={value} />
      <FormHelperText>
        <HelperText>
          <HelperTextItem>{t('people.rolesHint')}</HelperTextItem>
        </HelperText>
      </FormHelperText>
    </FormGroup>
  )
}

function ChosenRoles({ value, onChange }: RolesFieldProps): ReactElement {
  const { t } = useTranslation()
  return (
    <LabelGroup aria-label={t('people.roles')} numLabels={value.length}>
      {value.map((role) => (
        <Label
          key={role}
          variant="outline"
          closeBtnAriaLabel={t('people.withoutRole', { role })}
          onClose={() => {
            onChange(value.filter((one) => one !== role))
          }}
        >
          {role}
        </Label>
      ))}
    </LabelGroup>
  )
}

interface KnownRolesProps {
  readonly id: string
  /** These are chosen already. */ readonly but: readonly string[]
}

function KnownRoles({ id, but }: KnownRolesProps): ReactElement {
  const known = useGet<{ roles: ReadonlyArray<{ readonly role: string }> }>('/roles', [
    'people',
    'grants',
  ])
  return (
    <datalist id={id}>
      {(known.data?.roles ?? [])
        .filter(({ role }) => !but.includes(role))
        .map(({ role }) => (
          <option key={role} value={role} />
        ))}
    </datalist>
  )
}
