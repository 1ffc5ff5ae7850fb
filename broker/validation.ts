import { DefaultErrorFunction, SetErrorFunction, ValueErrorType } from '@sinclair/typebox/errors'
import { type BrokerError, refusal } from './errors/broker-error.js'

/**
 * Makes TypeBox say what a field should be in words instead of patterns: its description, or the
 * list it comes from.
 */
export function explainFaults(): void {
  SetErrorFunction((fault) => {
    const { schema, errorType } = fault
    if (errorType === ValueErrorType.Kind && Array.isArray(schema['enum']))
      return `must be one of ${schema['enum'].join(', ')}`
    if (errorType === ValueErrorType.Kind && schema.description)
      return `is not of this form: ${schema.description}`
    if (errorType === ValueErrorType.StringPattern)
      return schema.description
        ? `is not of this form: ${schema.description}`
        : `must match ${String(schema['pattern'])}`
    if (errorType === ValueErrorType.ObjectAdditionalProperties)
      return 'is not a field that is known here'
    if (errorType === ValueErrorType.ObjectRequiredProperty) return 'is missing'
    if (errorType === ValueErrorType.Union && Array.isArray(schema['anyOf']))
      return `must be one of these: ${schema['anyOf'].map(formOf).join('; or ')}`
    const bound = boundOf(fault)
    return bound ?? DefaultErrorFunction(fault).replace(/^Expected/, 'must be')
  })
}

function boundOf({ errorType, schema }: Parameters<typeof DefaultErrorFunction>[0]): string | null {
  switch (errorType) {
    case ValueErrorType.StringMinLength:
      return `must be at least ${schema['minLength']} long`
    case ValueErrorType.StringMaxLength:
      return `must be at most ${schema['maxLength']} long`
    case ValueErrorType.ArrayMinItems:
      return `must be at least ${schema['minItems']} long`
    case ValueErrorType.ArrayMaxItems:
      return `must be at most ${schema['maxItems']} long`
    case ValueErrorType.IntegerMinimum:
    case ValueErrorType.NumberMinimum:
      return `must be at least ${schema['minimum']}`
    case ValueErrorType.IntegerMaximum:
    case ValueErrorType.NumberMaximum:
      return `must be at most ${schema['maximum']}`
    case ValueErrorType.Integer:
      return 'must be a whole number'
    case ValueErrorType.Number:
      return 'must be a number'
    default:
      return null
  }
}

/** What one of the words above says of a field, as an error; what is in brackets is its figure. */
const REFUSALS: ReadonlyArray<
  readonly [words: RegExp, refused: (field: string, figure: string) => BrokerError]
> = [
  [/^is missing$/, (field) => refusal('field_missing', { field })],
  [/^is not a field/, (field) => refusal('field_not_known', { field })],
  [/^is not of this form: (.*)$/s, (field, form) => refusal('field_form', { field, form })],
  [
    /^must be one of these: (.*)$/s,
    (field, choices) => refusal('field_forms', { field, choices: choices.split('; or ') }),
  ],
  [
    /^must be one of (.*)$/s,
    (field, choices) => refusal('field_choices', { field, choices: choices.split(', ') }),
  ],
  [/^must be at least (\S+) long$/, (field, least) => refusal('field_too_short', { field, least })],
  [/^must be at most (\S+) long$/, (field, most) => refusal('field_too_long', { field, most })],
  [/^must be at least (\S+)$/, (field, least) => refusal('field_too_small', { field, least })],
  [/^must be at most (\S+)$/, (field, most) => refusal('field_too_large', { field, most })],
  [/^must be a whole number$/, (field) => refusal('field_whole_number', { field })],
  [/^must be a number$/, (field) => refusal('field_number', { field })],
]

/** The error for a field; TypeBox gives no more of its fault than the words that `explainFaults` has for it. */
export function fieldRefusal(field: string, words: string): BrokerError {
  const said = words.replace(/\.$/, '')
  for (const [pattern, refused] of REFUSALS) {
    const found = pattern.exec(said)
    if (found) return refused(field, found[1] ?? '')
  }
  return refusal('field_refused', { field, said })
}

function formOf({
  description,
  type,
  enum: words,
}: {
  description?: string
  type?: string
  enum?: readonly string[]
}): string {
  return words?.join(', ') ?? description ?? type ?? 'a value'
}
