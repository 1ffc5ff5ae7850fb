import { type Static, Type } from '@sinclair/typebox'
import { Address, Instant, Name, nullable, oneOf, strictObject } from './common.js'
import { Holder } from './machines.js'

/**
 * direct: the viewer goes to the hypervisor's display address; proxy: through the broker's console
 * proxy; auto: direct where the display can be reached so.
 */
export const CONSOLE_WAYS = ['direct', 'proxy', 'auto'] as const
export type ConsoleWay = (typeof CONSOLE_WAYS)[number]

/**
 * POST /machines/NAME/console. The answer is JSON, or with `accept: application/x-virt-viewer` the
 * file that remote-viewer reads.
 */
export const ConsoleRequest = strictObject({
  take: Type.Optional(Type.Boolean({ default: false, description: 'Cut whoever has this screen' })),
  via: Type.Optional(oneOf(CONSOLE_WAYS, { default: 'auto' })),
})
export type ConsoleRequest = Static<typeof ConsoleRequest>
export const VIEWER_FILE_TYPE = 'application/x-virt-viewer'

/** A live console connection. `holder` null: a viewer that was given no ticket here. */
export const Session = strictObject({
  machine: Name,
  hypervisor: Name,
  holder: nullable(Holder),
  address: Type.String({ description: 'Where the viewer is' }),
  protocol: oneOf(['spice', 'vnc'] as const),
  via: oneOf(['direct', 'proxy', 'browser'] as const),
  since: Instant,
  watching: Type.Boolean({
    description: 'They only look: they do not have the screen, and do not count as connected',
  }),
})
export type Session = Static<typeof Session>
export const SessionList = strictObject({ sessions: Type.Array(Session) })

export const PATH_PROTOCOLS = ['spice', 'vnc', 'rdp', 'ssh'] as const
/** One way to a machine. */
export const MachinePath = strictObject({
  protocol: oneOf(PATH_PROTOCOLS),
  via: oneOf(['direct', 'proxy', 'forward', 'browser'] as const),
  reachable: Type.Boolean(),
  address: nullable(Address),
  port: nullable(Type.Integer()),
  sentence: Type.String({ description: 'What was found, or why it cannot be reached' }),
  commands: Type.Array(Type.String(), {
    description:
      'What to type, one a line, each stays in the foreground; for the browser the path of the page',
  }),
})
export type MachinePath = Static<typeof MachinePath>
export const MachinePathList = strictObject({ paths: Type.Array(MachinePath) })
export type MachinePathList = Static<typeof MachinePathList>

/** GET /machines/NAME/port-forward?port=N as a WebSocket: binary messages are the bytes, see byte-socket.ts. */
export const PortQuery = strictObject({ port: Type.Integer({ minimum: 1, maximum: 65535 }) })

/**
 * POST /machines/NAME/screen: a ticket for its screen in a browser. `take`: cut whoever has this
 * screen. `watch`: only look, while somebody else works; needs the permission takeConsole, and the
 * one who is watched is told.
 */
export const ScreenRequest = strictObject({
  take: Type.Optional(Type.Boolean({ default: false })),
  watch: Type.Optional(Type.Boolean({ default: false })),
})
export type ScreenRequest = Static<typeof ScreenRequest>
/** The ticket is good once, for `ticketSeconds`, for this machine, this person and the login that asked. */
export const Screen = strictObject({
  ticket: Type.String({
    description: '128 random bits; the first message on the WebSocket, never a part of an address',
  }),
  ticketSeconds: Type.Integer(),
  viewOnly: Type.Boolean({ description: 'The broker drops keys and pointer' }),
  clipboard: Type.Boolean({
    description:
      'Whether the policy of its pools lets text be pasted. Text that is copied in the guest ' +
      'does not come out: a VNC display of Berth has no way for it',
  }),
  title: Name,
  taken: Type.Optional(
    strictObject(
      { from: nullable(Holder), since: Instant },
      { description: 'Whose console was cut for this one' },
    ),
  ),
})
export type Screen = Static<typeof Screen>

/**
 * GET /machines/NAME/screen as a WebSocket. The first message is the text of a ScreenTicket, within
 * SCREEN_TICKET_WITHIN_MS after it has opened; nothing answers it. From then on every binary
 * message is a piece of RFB 3.8, both ways, the server first. A close says why, by its code and in
 * a sentence.
 */
export const ScreenTicket = strictObject({ ticket: Type.String({ maxLength: 100 }) })
export const SCREEN_TICKET_WITHIN_MS = 5_000

/**
 * Why the broker closes a screen. `again`: whether a page may ask for a new ticket by itself. The
 * close's reason is a sentence for the reader.
 */
export const SCREEN_CLOSES = {
  ended: { code: 4000, again: true, meaning: 'The display has ended the connection' },
  badTicket: {
    code: 4001,
    again: false,
    meaning:
      'The ticket is unknown, used, too old, or of another machine, person or login; or none came in time',
  },
  taken: {
    code: 4002,
    again: false,
    meaning: 'Somebody has taken the screen over, or the same person has opened it elsewhere',
  },
  over: {
    code: 4003,
    again: false,
    meaning:
      'They may not have it any more: released, expired, logged out, or the permission was taken away',
  },
  machineOff: { code: 4004, again: false, meaning: 'The machine went off, or is off' },
  hostAway: { code: 4005, again: true, meaning: 'The hypervisor cannot be reached' },
  refused: {
    code: 4006,
    again: false,
    meaning: 'The viewer sent what is no RFB, or what nobody may send',
  },
  unreachable: {
    code: 4007,
    again: false,
    meaning: 'The machine has no VNC display that Berth can open',
  },
  tooMany: {
    code: 4008,
    again: false,
    meaning: 'Too many connections are open through the broker',
  },
  stopping: { code: 4009, again: true, meaning: 'The broker is stopping' },
} as const
export type ScreenClose = keyof typeof SCREEN_CLOSES
