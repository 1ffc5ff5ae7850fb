import { FormatRegistry, Kind, type Static, type TSchema, TypeRegistry } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { CliError } from './cli-error.js'

/*
 * Answers are checked with the schemas of the API, but mildly: a newer broker may have further
 * fields and further states, and a client that fails on those would have to be updated on every
 * desk at once. What is missing or of another type is an error.
 */
FormatRegistry.Set('date-time', (text) => !Number.isNaN(Date.parse(text)))
TypeRegistry.Set('Unsafe', (_schema, value) => typeof value === 'string')

/**
 * Gives the answer as it is, unknown fields included. Throws CliError refused, naming the field,
 * when it is not what the schema says.
 */
export function parseAnswer<T extends TSchema>(
  schema: T,
  answer: unknown,
  where: string,
): Static<T> {
  const known = Value.Clean(schema, structuredClone(answer))
  if (conforms(schema, known, answer)) return answer
  const error = schema[Kind] === 'Undefined' ? undefined : Value.Errors(schema, known).First()
  const field =
    error === undefined
      ? ''
      : `: ${error.path === '' ? 'the whole answer' : error.path}: ${error.message}`
  throw new CliError(
    'refused',
    `The broker's answer to ${where} is not understood${field}; compare "berth version" with the broker's.`,
  )
}

function conforms<T extends TSchema>(
  schema: T,
  known: unknown,
  _answer: unknown,
): _answer is Static<T> {
  return Value.Check(schema, known)
}
