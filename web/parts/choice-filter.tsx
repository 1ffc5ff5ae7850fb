import { FormSelect, FormSelectOption } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useSearchParams } from 'react-router'

/** Sets several values of the address at once; '' takes one away. Two setters one after another would undo each other. */
export function useSetParams (): (values: Readonly<Record<string, string>>) => void {
  const [, setParams] = useSearchParams()
  return (values) => {
    setParams((before) => {
      const after = new URLSearchParams(before)
      for (const [name, value] of Object.entries(values)) value === '' ? after.delete(name) : after.set(name, value)
      return after
    }, { replace: true })
  }
}

/** A value that stands in the address under `name`; '' when absent. Setting '' takes it away. */
export function useParam (name: string): readonly [string, (value: string) => void] {
  const [params] = useSearchParams()
  const set = useSetParams()
  return [params.get(name) ?? '', (value) => { set({ [name]: value }) }]
}

/** A filter beside the search of a table; what is chosen stands in the address. The first option stands for "no filter". */
export function ChoiceFilter ({ name, label, all, options }: { name: string, label: string, all: string, options: ReadonlyArray<{ readonly value: string, readonly name: string }> }): ReactElement {
  const [value, set] = useParam(name)
  return (
    <FormSelect aria-label={label} className="berth-filter" value={value} onChange={(_event, chosen) => { set(chosen) }}>
      <FormSelectOption value="" label={all} />
      {options.map((one) => <FormSelectOption key={one.value} value={one.value} label={one.name} />)}
    </FormSelect>
  )
}
