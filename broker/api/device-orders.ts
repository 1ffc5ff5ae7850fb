import { type Static, Type } from '@sinclair/typebox'
import { Instant, MacAddress, nullable, oneOf, strictObject } from './common.js'

/** message: show a text; reconnect: close the viewer and ask again; reboot: restart the device. */
export const ORDER_KINDS = ['message', 'reconnect', 'reboot'] as const
export type OrderKind = (typeof ORDER_KINDS)[number]
/**
 * pending: the device has not asked since; sent: it was told and has not said what it did; done;
 * refused: it said why not; unsupported: its agent is too old; not-reached: it said nothing in
 * time. The last four are final, except that a late word of the device still counts.
 */
export const ORDER_STATES = [
  'pending',
  'sent',
  'done',
  'refused',
  'unsupported',
  'not-reached',
] as const

/** Plain text of one paragraph: no control characters, nothing that turns the direction of writing. */
const PLAIN = '\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069'
export const MOST_MESSAGE_LENGTH = 500
export const MESSAGE_SECONDS = { minimum: 5, maximum: 3600, default: 60 } as const

export const MessageText = Type.String({
  minLength: 1,
  maxLength: MOST_MESSAGE_LENGTH,
  pattern: `^[^${PLAIN}]*[^\\s${PLAIN}][^${PLAIN}]*$`,
  description: 'Plain text of one paragraph, without control characters',
})
export const MessageRequest = strictObject({
  text: MessageText,
  seconds: Type.Optional(Type.Integer({ ...MESSAGE_SECONDS, description: 'How long it is shown' })),
})

const OrderId = Type.String({
  pattern: '^[A-Za-z0-9-]{1,64}$',
  description: 'Letters, digits, dash; at most 64',
})
/** What a device is told to do, besides what it shows. It does it once, however often it is told. */
export const DeviceOrder = strictObject({
  id: OrderId,
  kind: oneOf(ORDER_KINDS),
  text: Type.String({ maxLength: MOST_MESSAGE_LENGTH }),
  seconds: Type.Integer(MESSAGE_SECONDS),
})
export type DeviceOrder = Static<typeof DeviceOrder>
/** The kinds of orders that an agent knows; one that says nothing is older than they are. */
export const ORDERS_KNOWN = Type.Optional(
  Type.Array(
    Type.String({
      pattern: '^[a-z-]{1,30}$',
      description: 'A kind of order: small letters and dashes, at most 30',
    }),
    { maxItems: 16 },
  ),
)

/** POST /api/v1/thin-clients/done, with the device's key: what became of an order. */
export const OrderOutcome = strictObject({
  macs: Type.Array(MacAddress, { minItems: 1, maxItems: 16 }),
  order: OrderId,
  outcome: oneOf(['done', 'refused'] as const),
  sentence: Type.String({
    maxLength: 200,
    pattern: `^[^${PLAIN}]*$`,
    description: 'Plain text: no control characters; at most 200 characters',
  }),
})
export type OrderOutcome = Static<typeof OrderOutcome>

/** `expiresAt`: until then the device may still be told. */
export const OrderState = strictObject({
  id: Type.String(),
  kind: oneOf(ORDER_KINDS),
  text: Type.String(),
  state: oneOf(ORDER_STATES),
  sentence: Type.String(),
  by: Type.String(),
  createdAt: Instant,
  expiresAt: Instant,
  finishedAt: nullable(Instant),
})
export type OrderState = Static<typeof OrderState>
