import { DefaultErrorFunction, SetErrorFunction, ValueErrorType } from '@sinclair/typebox/errors'

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
    return DefaultErrorFunction(fault).replace(/^Expected/, 'must be')
  })
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
