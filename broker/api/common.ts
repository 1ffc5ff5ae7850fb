import { Kind, type Static, Type, TypeRegistry } from '@sinclair/typebox'

/**
 * Names of machines and hypervisors: they become domain names, file names and host names, so
 * nothing else is let in.
 */
export const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'
export const Name = Type.String({
  pattern: NAME_PATTERN,
  description: 'Letters, digits, dot, dash, underscore; starts with a letter or digit; at most 63',
})
/** A DNS name or an IP address. */
export const Address = Type.String({
  pattern: '^([A-Za-z0-9]|::)[A-Za-z0-9.:_-]{0,252}$',
  description: 'A DNS name, an IPv4 or an IPv6 address',
})
export const Reason = Type.String({
  maxLength: 200,
  description: 'Shown to administrators and on the screen of a waiting thin client',
})
export const Instant = Type.String({ format: 'date-time', description: 'RFC 3339, UTC' })
export const Fingerprint = Type.String({
  pattern: '^SHA256:[A-Za-z0-9+/]{43}$',
  description: 'As printed by ssh-keygen -l',
})
export const MacAddress = Type.String({
  pattern: '^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$',
  description: 'Six pairs of hexadecimal digits, such as 52:54:00:12:34:56',
})
export const AbsolutePath = Type.String({
  pattern: '^/[^\\u0000-\\u001f]{0,1000}$',
  description: 'An absolute path',
})

/** An object that refuses unknown fields. */
export function strictObject<T extends Parameters<typeof Type.Object>[0]>(
  properties: T,
  options: Parameters<typeof Type.Object>[1] = {},
) {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

export function nullable<T extends Parameters<typeof Type.Union>[0][number]>(schema: T) {
  return Type.Union([schema, Type.Null()])
}

TypeRegistry.Set<{ enum: readonly unknown[] }>('StringEnum', (schema, value) =>
  schema.enum.includes(value),
)

/** A string out of a closed list; plain JSON Schema `enum`, which OpenAPI readers show better than a union. */
export function oneOf<const T extends readonly string[]>(
  values: T,
  options: { description?: string; default?: T[number] } = {},
) {
  return Type.Unsafe<T[number]>({
    [Kind]: 'StringEnum',
    type: 'string',
    enum: [...values],
    ...options,
  })
}

export const ErrorBody = strictObject({
  code: Type.String({ description: 'One of the closed list of error codes' }),
  reason: Type.String({
    description: 'Why exactly, one of the closed list of reasons of the code',
  }),
  parameters: Type.Record(
    Type.String(),
    Type.Union([Type.String(), Type.Number(), Type.Array(Type.String())]),
    { description: 'What the sentence of the reason is about: names, figures, instants' },
  ),
  message: Type.String({
    description: 'The sentence of the reason in English: what is wrong, where, and what to do',
  }),
  requestId: Type.String(),
  details: Type.Optional(Type.Array(Type.Unknown())),
})
export type ErrorBody = Static<typeof ErrorBody>
export type ErrorParameters = ErrorBody['parameters']

export const Maintenance = strictObject({ on: Type.Boolean(), reason: Type.Optional(Reason) })
export const NameParams = strictObject({ name: Name })
export const IdParams = strictObject({
  id: Type.String({
    pattern: '^[A-Za-z0-9-]{1,64}$',
    description: 'Letters, digits, dash; at most 64',
  }),
})
export const ForceQuery = strictObject({ force: Type.Optional(Type.Boolean({ default: false })) })
