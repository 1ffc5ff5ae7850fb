import { type Static, Type } from '@sinclair/typebox'
import { PersonName } from './assignments.js'
import { Instant, MacAddress, Name, nullable, strictObject } from './common.js'
import { MACS } from './thin-clients.js'

/** A person's login at a thin client; each of these needs the device's key. */
export const PersonLogin = strictObject({
  macs: MACS,
  name: PersonName,
  password: Type.String({ minLength: 1, maxLength: 1024 }),
})
export const PersonLoginAnswer = strictObject({ name: Type.String({ description: 'The account' }) })
export const ProviderLogin = strictObject({
  macs: MACS,
  provider: Type.String({
    minLength: 1,
    maxLength: 63,
    pattern: '^[^\\u0000-\\u001f\\u007f]+$',
    description: 'The name of a provider: no control characters',
  }),
})
export const ProviderLoginPoll = strictObject({
  macs: MACS,
  handle: Type.String({
    minLength: 1,
    maxLength: 100,
    pattern: '^[A-Za-z0-9_-]+$',
    description: 'Letters, digits, dash, underscore',
  }),
})
/** `name` is null while nobody has confirmed it. */
export const ProviderLoginPolled = strictObject({ name: nullable(Type.String()) })
/**
 * A login that its person confirms on the page /device of this broker, by the code that the thin
 * client shows (RFC 8628).
 */
export const CodeLogin = strictObject({ macs: MACS })
const UserCode = Type.String({
  minLength: 1,
  maxLength: 40,
  description: 'As it stands on the screen; case, spaces and dashes do not matter',
})
export const CodeLook = strictObject({ code: UserCode })
/** `confirm` false: it is not theirs, and nobody is logged in by it. */
export const CodeAnswer = strictObject({ code: UserCode, confirm: Type.Boolean() })
/** The thin client that shows a code. */
export const CodeDevice = strictObject({
  hostname: Type.String(),
  mac: MacAddress,
  address: Type.String(),
  since: Instant,
  expiresAt: Instant,
})
export type CodeDevice = Static<typeof CodeDevice>
/** One of both. */
export const ChooseRequest = strictObject({
  macs: MACS,
  pool: Type.Optional(Name),
  machine: Type.Optional(Name),
})
export type ChooseRequest = Static<typeof ChooseRequest>
export const LogoutRequest = strictObject({ macs: MACS })
