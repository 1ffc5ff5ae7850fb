import { type Static, Type } from '@sinclair/typebox'
import { Instant, MacAddress, Name, nullable, oneOf, strictObject } from './common.js'
import { DeviceOrder, ORDERS_KNOWN, OrderState } from './device-orders.js'
import { SpiceConsole } from './machines.js'

/**
 * ready: show `console`; starting: the machine is being started; maintenance: not handed out, the
 * sentence says why; waiting: something else is missing (hypervisor away, in use, being populated);
 * login: a person has to log in, in one of the `ways`; choose: they may use several desktops, those
 * of `choices`; unknown: this device has no desktop or is not accepted.
 */
export const ASK_STATES = [
  'ready',
  'starting',
  'maintenance',
  'waiting',
  'login',
  'choose',
  'unknown',
] as const
export const AskState = oneOf(ASK_STATES)

export const ViewerOptions = strictObject({
  fullScreen: Type.Boolean(),
  multiMonitor: Type.Boolean(),
  usbAutoShare: Type.Boolean(),
  audio: Type.Boolean(),
  resolution: nullable(
    Type.String({
      pattern: '^[0-9]{3,5}x[0-9]{3,5}$',
      description: 'WIDTHxHEIGHT, such as 1920x1080',
    }),
  ),
})
export type ViewerOptions = Static<typeof ViewerOptions>
export const DEFAULT_VIEWER_OPTIONS: ViewerOptions = {
  fullScreen: true,
  multiMonitor: false,
  usbAutoShare: false,
  audio: true,
  resolution: null,
}

export const RdpConsole = strictObject({
  protocol: Type.Literal('rdp'),
  address: Type.String({ description: 'host or host:port' }),
  title: Type.String(),
  clipboard: Type.Optional(Type.Boolean({ description: 'Absent: yes' })),
  drives: Type.Optional(
    Type.Boolean({
      description: 'Disks plugged in at the device may be shown to the desktop; absent: yes',
    }),
  ),
})
export const HorizonConsole = strictObject({
  protocol: Type.Literal('horizon'),
  server: Type.String(),
  desktopPool: Type.String(),
  title: Type.String(),
})
export const Console = Type.Union([SpiceConsole, RdpConsole, HorizonConsole])
export type Console = Static<typeof Console>

/**
 * How a person can log in at a thin client. `providers`: OpenID Connect, by a code that they confirm
 * in any browser; `code`: a code that they confirm on Berth's own page.
 */
export const LoginWays = strictObject({
  password: Type.Boolean(),
  code: Type.Optional(Type.Boolean()),
  providers: Type.Array(strictObject({ name: Type.String(), title: Type.String() })),
})
export type LoginWays = Static<typeof LoginWays>
/**
 * What a person may open. yours: they have a desktop of it; free: they can have it at once; full: they
 * would wait; maintenance: not handed out.
 */
export const Choice = strictObject({
  kind: oneOf(['pool', 'machine'] as const),
  name: Name,
  state: oneOf(['yours', 'free', 'full', 'maintenance'] as const),
  sentence: Type.String(),
})
export type Choice = Static<typeof Choice>

/**
 * POST /api/v1/thin-clients/ask, header `authorization: Device KEY` once the device has a key.
 * Before, `device-claim: HEX`: 256 bits that it has made itself and sends until it has a key, so
 * that a key that was lost on its way, and an administrator's consent, reach this device and no
 * other.
 */
export const AskRequest = strictObject({
  macs: Type.Array(MacAddress, { minItems: 1, maxItems: 16 }),
  hostname: Type.String({
    maxLength: 253,
    pattern: '^[A-Za-z0-9._-]*$',
    description: 'Letters, digits, dot, dash, underscore',
  }),
  version: Type.String({
    maxLength: 40,
    pattern: '^[A-Za-z0-9.+_-]*$',
    description: 'Letters, digits, dot, plus, dash, underscore; at most 40',
  }),
  have: Type.Optional(
    Type.String({
      maxLength: 64,
      description:
        'The `mark` of the last answer: the broker then answers when something changed, at the latest after waitMs',
    }),
  ),
  waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 300000, default: 0 })),
  note: Type.Optional(
    Type.String({
      maxLength: 200,
      description:
        'A trouble of the device worth showing to the administrator, such as a missing viewer',
    }),
  ),
  ended: Type.Optional(
    Type.Boolean({
      description:
        'The viewer was closed by its person, or the device has just been switched on: ' +
        'whoever was logged in is logged out',
    }),
  ),
  orders: ORDERS_KNOWN,
})
export type AskRequest = Static<typeof AskRequest>

export const AskAnswer = strictObject({
  state: AskState,
  sentence: Type.String({ description: 'For the screen' }),
  askAgainMs: Type.Integer({ description: 'When to ask again; the device adds jitter' }),
  mark: Type.String({ description: 'Names this answer; send it back as `have`' }),
  code: Type.Optional(
    Type.String({
      description:
        'Of a device that is not accepted: what tells it from others that say the same MAC; the sentence has it too',
    }),
  ),
  device: Type.String(),
  deviceKey: Type.Optional(
    Type.String({
      description:
        'At first contact, and again until it is shown for the first time: 256 bits, hex; keep it with mode 0600',
    }),
  ),
  brokerTimeMs: Type.Integer(),
  console: Type.Optional(Console),
  viewer: Type.Optional(ViewerOptions),
  person: Type.Optional(Type.String({ description: 'Who is logged in at this device' })),
  ways: Type.Optional(LoginWays),
  choices: Type.Optional(Type.Array(Choice)),
  order: Type.Optional(DeviceOrder),
})
export type AskAnswer = Static<typeof AskAnswer>

export const MACS = Type.Array(MacAddress, { minItems: 1, maxItems: 16 })

/**
 * POST /api/v1/thin-clients/report: what the device shows now (null: nothing). Same authorization
 * as ask. With `waitMs` the broker answers when there is another notice than `have`, at the latest
 * after that time.
 */
export const ReportRequest = strictObject({
  macs: MACS,
  showing: nullable(
    strictObject({
      protocol: Type.String({ maxLength: 20 }),
      title: Type.String({ maxLength: 100 }),
    }),
  ),
  note: Type.Optional(Type.String({ maxLength: 200 })),
  have: Type.Optional(Type.String({ maxLength: 64, description: 'The id of the last notice' })),
  waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 120000, default: 0 })),
  orders: ORDERS_KNOWN,
})
export type ReportRequest = Static<typeof ReportRequest>
/**
 * `notice`: to be shown over the viewer, once; `takenAt`: when the desktop is taken, null when the
 * notice says something else. `over`: why the device is to close what it shows; null: it goes on.
 */
export const ReportAnswer = strictObject({
  notice: nullable(
    strictObject({ id: Type.String(), sentence: Type.String(), takenAt: nullable(Instant) }),
  ),
  over: nullable(Type.String()),
  order: Type.Optional(DeviceOrder),
})
export type ReportAnswer = Static<typeof ReportAnswer>

/**
 * Who asks in the place of a device without its key; `code` stands on the screen. `trusted`: from a
 * network in which new devices are accepted.
 */
export const Asker = strictObject({
  address: Type.String(),
  code: Type.String(),
  at: Instant,
  trusted: Type.Boolean(),
})
export type Asker = Static<typeof Asker>

/** `state`: what it was told last; null: it has not asked since the broker started. `mac`: by which it is listed. */
export const ThinClient = strictObject({
  id: Type.String(),
  mac: MacAddress,
  macs: Type.Array(
    strictObject({
      mac: MacAddress,
      believed: Type.Boolean({ description: 'clients.xml may mean the device by it' }),
    }),
  ),
  name: Type.String({ description: 'Given by an administrator; may be empty' }),
  askers: Type.Array(Asker),
  address: Type.String(),
  hostname: Type.String(),
  version: Type.String(),
  state: nullable(AskState),
  sentence: Type.String(),
  machine: nullable(Name),
  assigned: nullable(Name),
  assignedPool: nullable(Name),
  here: Type.Boolean({ description: 'It waits for an answer now, or did so a few seconds ago' }),
  accepted: Type.Boolean({ description: 'It holds a key, or may get one at its next contact' }),
  person: nullable(Type.String({ description: 'Who is logged in at it' })),
  showing: nullable(Type.String()),
  note: Type.String(),
  firstSeen: Instant,
  lastSeen: Instant,
})
export type ThinClient = Static<typeof ThinClient>
export const ThinClientList = strictObject({ thinClients: Type.Array(ThinClient) })
/**
 * A device with what it was ordered last, newest first, and what clients.xml (or an assignment
 * before it) gives it, in this order.
 */
export const ThinClientDetail = strictObject({
  ...ThinClient.properties,
  orders: Type.Array(OrderState),
  gets: Type.Array(Type.String()),
})
export type ThinClientDetail = Static<typeof ThinClientDetail>
/**
 * A fixed machine, or a desktop of a pool, for this device, before clients.xml is asked; null takes
 * it away. One of both.
 */
export const AssignRequest = strictObject(
  { machine: Type.Optional(nullable(Name)), pool: Type.Optional(nullable(Name)) },
  { minProperties: 1 },
)
export type AssignRequest = Static<typeof AssignRequest>

/**
 * Which of those that ask is accepted: by the code on its screen, or the only one at an address.
 * Without both there must be no doubt. `asNew`: it is a device of its own that shares its MACs with
 * this one, for example at one dock.
 */
export const AcceptRequest = strictObject({
  code: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 40,
      description: 'As it stands on the screen; case, spaces and dashes do not matter',
    }),
  ),
  address: Type.Optional(Type.String({ minLength: 1, maxLength: 45 })),
  asNew: Type.Optional(Type.Boolean()),
})
export type AcceptRequest = Static<typeof AcceptRequest>
export const RenameRequest = strictObject({
  name: Type.String({
    maxLength: 63,
    pattern: '^[^\\u0000-\\u001f\\u007f]*$',
    description: 'At most 63 characters; empty takes the name away',
  }),
})
export const Forgotten = strictObject({ forgotten: Type.Integer() })
