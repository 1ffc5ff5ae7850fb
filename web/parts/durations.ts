const UNITS = ['day', 'hour', 'minute', 'second'] as const
type Unit = (typeof UNITS)[number]
type Amounts = Readonly<Record<Unit, number>>

const ISO = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/i
/** `4 h`, `1 day 12 hours`, `30 min.`; in Lithuanian too: `4 val.`, `1 d.`, `30 sek.`. */
const NAMES = [
  'd(?:ays?|ien\\p{L}*)?',
  'h(?:rs?|ours?)?|v(?:al\\p{L}*)?',
  'm(?:in\\p{L}*)?',
  's(?:ec\\p{L}*|ek\\p{L}*)?',
]
const UNIT = NAMES.map((names) => `(${names})`).join('|')
const PART = new RegExp(`^\\s*(\\d+)\\s*(?:${UNIT})(?!\\p{L})\\.?,?`, 'iu')

function isoAmounts(text: string): Amounts | null {
  const found = ISO.exec(text.trim())
  if (!found?.slice(1).some((part) => part !== undefined)) return null
  const [day, hour, minute, second] = found.slice(1).map((part) => Number(part ?? 0))
  return { day: day ?? 0, hour: hour ?? 0, minute: minute ?? 0, second: second ?? 0 }
}

function typedAmounts(text: string): Amounts | null {
  const amounts = { day: 0, hour: 0, minute: 0, second: 0 }
  let rest = text.trim()
  if (rest === '') return null
  while (rest !== '') {
    const found = PART.exec(rest)
    if (!found) return null
    const unit = UNITS[found.slice(2).findIndex((part) => part !== undefined)] ?? 'second'
    amounts[unit] += Number(found[1])
    rest = rest.slice(found[0].length).trim()
  }
  return amounts
}

function say(language: string, amounts: Amounts, unitDisplay: 'long' | 'short'): string {
  const parts = UNITS.filter((unit) => amounts[unit] > 0)
  return (parts.length === 0 ? ['second' as const] : parts)
    .map((unit) =>
      new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay }).format(amounts[unit]),
    )
    .join(' ')
}

/** `PT4H` in words of this language: `4 hours`, and an instant as a date with its time; anything else as it is. */
export function durationWords(language: string, text: string): string {
  const amounts = isoAmounts(text)
  if (amounts) return say(language, amounts, 'long')
  return /^\d{4}-\d{2}-\d{2}T/.test(text) && !Number.isNaN(Date.parse(text))
    ? new Date(text).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' })
    : text
}

/** As it stands in a field: `4 hr`. What is not a duration stays as it is. */
export function durationTyped(language: string, text: string): string {
  const amounts = isoAmounts(text)
  return amounts ? say(language, amounts, 'short') : text
}

/**
 * What somebody typed as the API takes it: `4 h` is PT4H. What is not understood is left to the
 * broker, which refuses it by name.
 */
export function durationIso(text: string): string {
  const amounts = typedAmounts(text)
  if (!amounts) return text.trim()
  const part = (unit: Unit, letter: string): string =>
    amounts[unit] > 0 ? `${amounts[unit]}${letter}` : ''
  const time = `${part('hour', 'H')}${part('minute', 'M')}${part('second', 'S')}`
  const date = part('day', 'D')
  return date === '' && time === '' ? 'PT0S' : `P${date}${time === '' ? '' : `T${time}`}`
}
