import { type Static, Type } from '@sinclair/typebox'
import { Instant, MacAddress, Name, nullable, oneOf, strictObject } from './common.js'
import { SpiceConsole } from './machines.js'

/**
 * ready: show `console`; starting: the machine is being started; maintenance: not handed out, the sentence says why;
 * waiting: something else is missing (hypervisor away, in use, being populated); unknown: this device has no desktop or is not accepted.
 */
export const ASK_STATES = ['ready', 'starting', 'maintenance', 'waiting', 'unknown'] as const
export const AskState = oneOf(ASK_STATES)

export const ViewerOptions = strictObject({
  fullScreen: Type.Boolean(), multiMonitor: Type.Boolean(), usbAutoShare: Type.Boolean(), audio: Type.Boolean(),
  resolution: nullable(Type.String({ pattern: '^[0-9]{3,5}x[0-9]{3,5}$' })),
})
export type ViewerOptions = Static<typeof ViewerOptions>
export const DEFAULT_VIEWER_OPTIONS: ViewerOptions = { fullScreen: true, multiMonitor: false, usbAutoShare: false, audio: true, resolution: null }

export const RdpConsole = strictObject({ protocol: Type.Literal('rdp'), address: Type.String({ description: 'host or host:port' }), title: Type.String() })
export const HorizonConsole = strictObject({ protocol: Type.Literal('horizon'), server: Type.String(), desktopPool: Type.String(), title: Type.String() })
export const Console = Type.Union([SpiceConsole, RdpConsole, HorizonConsole])
export type Console = Static<typeof Console>

/** POST /api/v1/thin-clients/ask, header `authorization: Device KEY` once the device has a key. */
export const AskRequest = strictObject({
  macs: Type.Array(MacAddress, { minItems: 1, maxItems: 16 }),
  hostname: Type.String({ maxLength: 253, pattern: '^[A-Za-z0-9._-]*$' }),
  version: Type.String({ maxLength: 40, pattern: '^[A-Za-z0-9.+_-]*$' }),
  have: Type.Optional(Type.String({ maxLength: 64, description: 'The `mark` of the last answer: the broker then answers when something changed, at the latest after waitMs' })),
  waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 120000, default: 0 })),
  note: Type.Optional(Type.String({ maxLength: 200, description: 'A trouble of the device worth showing to the administrator, such as a missing viewer' })),
})
export type AskRequest = Static<typeof AskRequest>

export const AskAnswer = strictObject({
  state: AskState,
  sentence: Type.String({ description: 'For the screen' }),
  askAgainMs: Type.Integer({ description: 'When to ask again; the device adds jitter' }),
  mark: Type.String({ description: 'Names this answer; send it back as `have`' }),
  device: Type.String(),
  deviceKey: Type.Optional(Type.String({ description: 'Only at first contact: 256 bits, hex; keep it with mode 0600' })),
  brokerTimeMs: Type.Integer(),
  console: Type.Optional(Console),
  viewer: Type.Optional(ViewerOptions),
})
export type AskAnswer = Static<typeof AskAnswer>

/** POST /api/v1/thin-clients/report: what the device shows now (null: nothing). Same authorization as ask. */
export const ReportRequest = strictObject({ macs: Type.Array(MacAddress, { minItems: 1, maxItems: 16 }), showing: nullable(strictObject({ protocol: Type.String({ maxLength: 20 }), title: Type.String({ maxLength: 100 }) })), note: Type.Optional(Type.String({ maxLength: 200 })) })
export type ReportRequest = Static<typeof ReportRequest>

export const ThinClient = strictObject({
  id: Type.String(), mac: MacAddress, address: Type.String(), hostname: Type.String(), version: Type.String(),
  state: AskState, sentence: Type.String(), machine: nullable(Name), assigned: nullable(Name),
  accepted: Type.Boolean({ description: 'It holds a key, or may get one at its next contact' }),
  showing: nullable(Type.String()), note: Type.String(), firstSeen: Instant, lastSeen: Instant,
})
export type ThinClient = Static<typeof ThinClient>
export const ThinClientList = strictObject({ thinClients: Type.Array(ThinClient) })
/** A fixed machine for this device, before clients.xml is asked; null takes it away. */
export const AssignRequest = strictObject({ machine: nullable(Name) })

export const Fault = strictObject({ line: Type.Integer(), column: Type.Integer(), message: Type.String(), severity: oneOf(['error', 'warning'] as const) })
export type Fault = Static<typeof Fault>
export const ClientsXmlText = strictObject({ text: Type.String({ maxLength: 1048576 }) })
export const ClientsXmlCheck = strictObject({ accepted: Type.Boolean(), clients: Type.Integer(), faults: Type.Array(Fault) })
export type ClientsXmlCheck = Static<typeof ClientsXmlCheck>
export const ClientsXmlState = strictObject({ path: Type.String(), text: Type.String(), loadedAt: nullable(Instant), clients: Type.Integer(), faults: Type.Array(Fault) })
