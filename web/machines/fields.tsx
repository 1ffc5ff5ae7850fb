import {
  Checkbox,
  FormGroup,
  FormHelperText,
  FormSelect,
  FormSelectOption,
  HelperText,
  HelperTextItem,
  TextInput,
} from '@patternfly/react-core'
import type { ReactElement } from 'react'

interface FieldProps {
  readonly id: string
  readonly label: string
  readonly value: string
  readonly set: (value: string) => void
  readonly about?: string
  readonly required?: boolean
}

function About({ about }: { about: string | undefined }): ReactElement | null {
  return about === undefined || about === '' ? null : (
    <FormHelperText>
      <HelperText>
        <HelperTextItem>{about}</HelperTextItem>
      </HelperText>
    </FormHelperText>
  )
}

export function TextField({
  id,
  label,
  value,
  set,
  about,
  required = false,
  number = false,
}: FieldProps & { number?: boolean }): ReactElement {
  return (
    <FormGroup label={label} fieldId={id} isRequired={required}>
      <TextInput
        id={id}
        value={value}
        isRequired={required}
        type={number ? 'number' : 'text'}
        onChange={(_event, text) => {
          set(text)
        }}
      />
      <About about={about} />
    </FormGroup>
  )
}

export function ChoiceField({
  id,
  label,
  value,
  set,
  about,
  options,
  required = false,
}: FieldProps & {
  options: ReadonlyArray<{ readonly value: string; readonly name: string }>
}): ReactElement {
  return (
    <FormGroup label={label} fieldId={id} isRequired={required}>
      <FormSelect
        id={id}
        value={value}
        onChange={(_event, chosen) => {
          set(chosen)
        }}
      >
        {options.map((one) => (
          <FormSelectOption key={one.value} value={one.value} label={one.name} />
        ))}
      </FormSelect>
      <About about={about} />
    </FormGroup>
  )
}

export function CheckField({
  id,
  label,
  value,
  set,
  about,
}: {
  id: string
  label: string
  value: boolean
  set: (value: boolean) => void
  about?: string
}): ReactElement {
  return (
    <Checkbox
      id={id}
      label={label}
      isChecked={value}
      description={about}
      onChange={(_event, on) => {
        set(on)
      }}
    />
  )
}
