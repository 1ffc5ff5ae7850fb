import { type Static, Type } from '@sinclair/typebox'
import { Address, Instant, Name, nullable, oneOf, strictObject } from './common.js'
import { Holder } from './machines.js'

/** direct: the viewer goes to the hypervisor's display address; proxy: through the broker's console proxy; auto: direct where the display can be reached so. */
export const CONSOLE_WAYS = ['direct', 'proxy', 'auto'] as const
export type ConsoleWay = typeof CONSOLE_WAYS[number]

/** POST /machines/NAME/console. The answer is JSON, or with `accept: application/x-virt-viewer` the file that remote-viewer reads. */
export const ConsoleRequest = strictObject({
  take: Type.Optional(Type.Boolean({ default: false, description: 'Cut whoever has this screen' })),
  via: Type.Optional(oneOf(CONSOLE_WAYS, { default: 'auto' })),
})
export type ConsoleRequest = Static<typeof ConsoleRequest>
export const VIEWER_FILE_TYPE = 'application/x-virt-viewer'

/** A live console connection. `holder` null: a viewer that was given no ticket here. */
export const Session = strictObject({
  machine: Name, hypervisor: Name, holder: nullable(Holder),
  address: Type.String({ description: 'Where the viewer is' }),
  protocol: oneOf(['spice'] as const), via: oneOf(['direct', 'proxy'] as const), since: Instant,
})
export type Session = Static<typeof Session>
export const SessionList = strictObject({ sessions: Type.Array(Session) })

export const PATH_PROTOCOLS = ['spice', 'vnc', 'rdp', 'ssh'] as const
/** One way to a machine. */
export const MachinePath = strictObject({
  protocol: oneOf(PATH_PROTOCOLS), via: oneOf(['direct', 'proxy', 'forward', 'browser'] as const),
  reachable: Type.Boolean(),
  address: nullable(Address), port: nullable(Type.Integer()),
  sentence: Type.String({ description: 'What was found, or why it cannot be reached' }),
  commands: Type.Array(Type.String(), { description: 'What to type, one a line; each stays in the foreground' }),
})
export type MachinePath = Static<typeof MachinePath>
export const MachinePathList = strictObject({ paths: Type.Array(MachinePath) })
export type MachinePathList = Static<typeof MachinePathList>

/** GET /machines/NAME/port-forward?port=N as a WebSocket: binary messages are the bytes, see byte-socket.ts. */
export const PortQuery = strictObject({ port: Type.Integer({ minimum: 1, maximum: 65535 }) })
