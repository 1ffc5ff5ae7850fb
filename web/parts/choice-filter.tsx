import { FormSelect, FormSelectOption } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useLocation, useNavigate, useSearchParams } from 'react-router'

type Values = Readonly<Record<string, string>>
/** Marks a place in the browser's history that was entered from the one before it by `push`. */
const PUSHED = { pushed: true }

/**
 * Sets several values of the address at once; '' takes one away. Two setters one after another
 * would undo each other. With `push` the browser's Back takes it back.
 */
export function useSetParams(): (values: Values, how?: 'push') => void {
  const [, setParams] = useSearchParams()
  const { state } = useLocation()
  return (values, how) => {
    setParams(
      (before) => {
        const after = new URLSearchParams(before)
        for (const [name, value] of Object.entries(values))
          value === '' ? after.delete(name) : after.set(name, value)
        return after
      },
      how === 'push' ? { state: PUSHED } : { replace: true, state },
    )
  }
}

/** Leaves what was entered by `push` as Back does; what was opened by its address is taken out of it. */
export function useLeave(): (values: Values) => void {
  const set = useSetParams()
  const navigate = useNavigate()
  const { state } = useLocation() as { state: Partial<typeof PUSHED> | null }
  return (values) => {
    state?.pushed === true ? void navigate(-1) : set(values)
  }
}

/** A value that stands in the address under `name`; '' when absent. Setting '' takes it away. */
export function useParam(name: string): readonly [string, (value: string) => void] {
  const [params] = useSearchParams()
  const set = useSetParams()
  return [
    params.get(name) ?? '',
    (value) => {
      set({ [name]: value })
    },
  ]
}

/**
 * A filter beside the search of a table; what is chosen stands in the address. The first option
 * stands for "no filter".
 */
export function ChoiceFilter({
  name,
  label,
  all,
  options,
}: {
  name: string
  label: string
  all: string
  options: ReadonlyArray<{ readonly value: string; readonly name: string }>
}): ReactElement {
  const [value, set] = useParam(name)
  return (
    <FormSelect
      aria-label={label}
      className="berth-filter"
      value={value}
      onChange={(_event, chosen) => {
        set(chosen)
      }}
    >
      <FormSelectOption value="" label={all} />
      {options.map((one) => (
        <FormSelectOption key={one.value} value={one.value} label={one.name} />
      ))}
    </FormSelect>
  )
}
