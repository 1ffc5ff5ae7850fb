import type { TFunction } from 'i18next'
import type { ErrorParameters } from '../../broker/api/common.js'

/** A refusal by its reason, in words of the reader's catalogue of reasons; null where it has none. */
export function reasonTold(
  t: TFunction,
  { reason, parameters }: { readonly reason: string; readonly parameters: ErrorParameters },
): string | null {
  if (reason === '') return null
  const words = Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, wordOf(t, name, value)]),
  )
  // `replace` holds what may be called like an option of the catalogue, such as `count`.
  const told: string = t(`reasons.${reason}` as 'errors.internal', {
    defaultValue: '',
    replace: words,
  })
  return told === '' ? null : told
}

function wordOf(t: TFunction, name: string, value: ErrorParameters[string]): string {
  if (typeof value !== 'object') return localTimes(String(value))
  return (name === 'types' ? value.map((type) => machineType(t, type)) : value).join(', ')
}

function machineType(t: TFunction, type: string): string {
  return t(`machineTypes.${type}` as 'machineTypes.vdi', { defaultValue: type })
}

/** As the broker writes them: RFC 3339, or to the minute in a sentence. */
const INSTANT = /\b(\d{4}-\d\d-\d\d)(?:T| )(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z| UTC)/g

/** Instants in a sentence as the reader's clock shows them. */
export function localTimes(sentence: string): string {
  return sentence.replace(INSTANT, (_, day: string, time: string) =>
    new Date(`${day}T${time}Z`).toLocaleString(document.documentElement.lang, {
      dateStyle: 'medium',
      timeStyle: 'short',
    }),
  )
}
