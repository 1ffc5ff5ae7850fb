import {
  Checkbox,
  FormGroup,
  FormHelperText,
  FormSelect,
  FormSelectOption,
  HelperText,
  HelperTextItem,
  TextArea,
  TextInput,
} from '@patternfly/react-core'
import { type ReactElement, useId } from 'react'

interface FieldProps<T> {
  readonly label: string
  readonly value: T
  readonly onChange: (value: T) => void
  /** Under the field. */ readonly hint?: string
  readonly isRequired?: boolean
}

function Hint({ text }: { text: string | undefined }): ReactElement | null {
  return text === undefined || text === '' ? null : (
    <FormHelperText>
      <HelperText>
        <HelperTextItem>{text}</HelperTextItem>
      </HelperText>
    </FormHelperText>
  )
}

export function TextField({
  label,
  value,
  onChange,
  hint,
  isRequired = false,
  type = 'text',
  multiline = false,
  pattern,
  list,
}: FieldProps<string> & {
  type?: 'text' | 'password' | 'number'
  multiline?: boolean
  pattern?: string
  list?: readonly string[]
}): ReactElement {
  const id = useId()
  const common = {
    id,
    value,
    isRequired,
    onChange: (_event: unknown, text: string) => {
      onChange(text)
    },
  }
  return (
    <FormGroup label={label} fieldId={id} isRequired={isRequired}>
      {multiline ? (
        <TextArea {...common} rows={6} resizeOrientation="vertical" />
      ) : (
        <TextInput
          {...common}
          type={type}
          autoComplete={type === 'password' ? 'new-password' : 'off'}
          {...(pattern === undefined ? {} : { pattern })}
          {...(list ? { list: `${id}-list` } : {})}
        />
      )}
      {list && <Suggestions id={`${id}-list`} texts={list} />}
      <Hint text={hint} />
    </FormGroup>
  )
}

function Suggestions({ id, texts }: { id: string; texts: readonly string[] }): ReactElement {
  return (
    <datalist id={id}>
      {texts.map((one) => (
        <option key={one} value={one} />
      ))}
    </datalist>
  )
}

export function ChoiceField<T extends string>({
  label,
  value,
  onChange,
  hint,
  isRequired = false,
  choices,
}: FieldProps<T> & { choices: ReadonlyArray<{ value: T; name: string }> }): ReactElement {
  const id = useId()
  return (
    <FormGroup label={label} fieldId={id} isRequired={isRequired}>
      <FormSelect
        id={id}
        value={value}
        onChange={(_event, text) => {
          onChange(text as T)
        }}
      >
        {choices.map((one) => (
          <FormSelectOption key={one.value} value={one.value} label={one.name} />
        ))}
      </FormSelect>
      <Hint text={hint} />
    </FormGroup>
  )
}

/** A checkbox as it stands in a question; in a form it is a CheckField. */
export function CheckBox({ label, value, onChange, hint }: FieldProps<boolean>): ReactElement {
  const id = useId()
  return (
    <Checkbox
      id={id}
      label={label}
      isChecked={value}
      onChange={(_event, on) => {
        onChange(on)
      }}
      {...(hint === undefined ? {} : { description: hint })}
    />
  )
}

export function CheckField(props: FieldProps<boolean>): ReactElement {
  return (
    <FormGroup>
      <CheckBox {...props} />
    </FormGroup>
  )
}

/** Several out of a list. `about`: under the name of one of them. */
export function ManyField<T extends string>({
  label,
  value,
  onChange,
  hint,
  isRequired = false,
  choices,
}: FieldProps<readonly T[]> & {
  choices: ReadonlyArray<{ value: T; name: string; about?: string }>
}): ReactElement {
  const id = useId()
  return (
    <FormGroup label={label} role="group" fieldId={id} isRequired={isRequired}>
      {choices.map((one) => (
        <Checkbox
          key={one.value}
          id={`${id}-${one.value}`}
          label={one.name}
          {...(one.about === undefined ? {} : { description: one.about })}
          isChecked={value.includes(one.value)}
          onChange={(_event, on) => {
            onChange(on ? [...value, one.value] : value.filter((other) => other !== one.value))
          }}
        />
      ))}
      <Hint text={hint} />
    </FormGroup>
  )
}
