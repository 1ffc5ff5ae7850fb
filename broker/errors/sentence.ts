import type { ErrorCode } from './codes.js'

/** What a place in a sentence can be filled with. What was said by others goes in as it is. */
export type Value = string | number | Date | readonly string[]

/** The names of the places in a sentence: `name` and `count` of "{{name}} has {{count}}". */
type NamesIn<Sentence extends string> = Sentence extends `${string}{{${infer Name}}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never

/** What a sentence needs: each of its places, and nothing else. */
export type ValuesOf<Sentence extends string> = [NamesIn<Sentence>] extends [never]
  ? Readonly<Record<string, never>>
  : { readonly [Name in NamesIn<Sentence>]: Value }

/** Parts with a space between them, as TypeScript sees them; several keep the lines of the source short. */
type Joined<Parts extends readonly string[]> = Parts extends readonly [
  infer First extends string,
  ...infer Rest extends readonly string[],
]
  ? Rest extends readonly []
    ? First
    : `${First} ${Joined<Rest>}`
  : ''

/** Why something was refused: the code that programs act upon, and the sentence for the reader. */
export interface Saying<Code extends ErrorCode = ErrorCode, Sentence extends string = string> {
  readonly code: Code
  readonly sentence: Sentence
}

/** Returns the reason with this code; `parts` are joined by spaces, and `{{word}}` stands for a value. */
export function says<Code extends ErrorCode, const Parts extends readonly string[]>(
  code: Code,
  ...parts: Parts
): Saying<Code, Joined<Parts>> {
  return { code, sentence: parts.join(' ') as Joined<Parts> }
}

/** Puts values into a sentence: lists with commas, instants to the minute in UTC. */
export function filled(sentence: string, values: Readonly<Record<string, Value>>): string {
  return sentence.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name]
    return value === undefined ? '' : wordOf(value)
  })
}

function wordOf(value: Value): string {
  if (value instanceof Date) return `${value.toISOString().slice(0, 16).replace('T', ' ')} UTC`
  return typeof value === 'object' ? value.join(', ') : String(value)
}

const MOST_NAMED = 5

/** The first of many names, with an ellipsis for the others: a sentence names no thousand machines. */
export function someOf(names: readonly string[]): string[] {
  return names.length > MOST_NAMED ? [...names.slice(0, MOST_NAMED), '…'] : [...names]
}

/** As they leave the broker in JSON: instants as RFC 3339 has them. */
export function parametersOnWire(
  parameters: Readonly<Record<string, Value>>,
): Record<string, string | number | string[]> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, valueOnWire(value)]),
  )
}

function valueOnWire(value: Value): string | number | string[] {
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' ? [...value] : value
}
