import { type Static, Type } from '@sinclair/typebox'
import { Instant, MacAddress, nullable, oneOf, strictObject } from './common.js'

export const Fault = strictObject({
  line: Type.Integer(),
  column: Type.Integer(),
  message: Type.String(),
  severity: oneOf(['error', 'warning'] as const),
})
export type Fault = Static<typeof Fault>
export const ClientsXmlText = strictObject({ text: Type.String({ maxLength: 1048576 }) })
/** `have`: the etag of the file that was changed; when it is another one by now, nothing is written. */
export const ClientsXmlPut = strictObject({
  ...ClientsXmlText.properties,
  have: Type.Optional(
    Type.String({
      maxLength: 64,
      pattern: '^[A-Za-z0-9_-]*$',
      description: 'Letters, digits, dash, underscore; at most 64',
    }),
  ),
})
/** `devices`: also say which of the devices that were seen would get something else than now. */
export const ClientsXmlCheckRequest = strictObject({
  ...ClientsXmlText.properties,
  devices: Type.Optional(Type.Boolean()),
})
/** `now` and `then`: what it gets, first choice first; with `viewer` only how it is shown differs. */
export const DeviceEffect = strictObject({
  id: Type.String(),
  mac: MacAddress,
  hostname: Type.String(),
  now: Type.Array(Type.String()),
  then: Type.Array(Type.String()),
  viewer: Type.Boolean(),
})
export type DeviceEffect = Static<typeof DeviceEffect>
export const ClientsXmlCheck = strictObject({
  accepted: Type.Boolean(),
  clients: Type.Integer(),
  faults: Type.Array(Fault),
  effects: Type.Optional(
    strictObject({
      count: Type.Integer({ description: 'All of them; the list may be shorter' }),
      devices: Type.Array(DeviceEffect),
    }),
  ),
})
export type ClientsXmlCheck = Static<typeof ClientsXmlCheck>
export const ClientsXmlState = strictObject({
  path: Type.String(),
  text: Type.String(),
  etag: Type.String({ description: 'Names this text' }),
  loadedAt: nullable(Instant),
  clients: Type.Integer(),
  faults: Type.Array(Fault),
})
export type ClientsXmlState = Static<typeof ClientsXmlState>

/** A text that was in force. `by`: an account, or `file` for a change on the disk. */
export const ClientsXmlVersion = strictObject({
  id: Type.Integer(),
  at: Instant,
  by: Type.String(),
  clients: Type.Integer(),
  bytes: Type.Integer(),
  etag: Type.String(),
})
export type ClientsXmlVersion = Static<typeof ClientsXmlVersion>
export const ClientsXmlHistory = strictObject({ versions: Type.Array(ClientsXmlVersion) })
export const ClientsXmlVersionText = strictObject({
  ...ClientsXmlVersion.properties,
  text: Type.String(),
})
export type ClientsXmlVersionText = Static<typeof ClientsXmlVersionText>
export const VersionParams = strictObject({ id: Type.Integer({ minimum: 1, maximum: 2147483647 }) })
