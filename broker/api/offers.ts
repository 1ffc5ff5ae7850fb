import { type Static, Type } from '@sinclair/typebox'
import { Desktop } from './assignments.js'
import { Instant, Name, nullable, oneOf, strictObject } from './common.js'
import { PowerState } from './machines.js'
import { Verb } from './permissions.js'

/**
 * What is done to a desktop before it can be opened: its hypervisor is away; it is cleaned after
 * its last use; it starts; it did not start and is tried again.
 */
export const PREPARING_STEPS = ['host-away', 'cleaning', 'starting', 'retrying'] as const
/**
 * Why a desktop is taken soon: its time after its holder left is over; its longest session ends;
 * the schedule shuts it down.
 */
export const TAKEN_FOR = ['idle', 'session', 'schedule', 'drain'] as const

/** Who looks at a screen: a person, or a thin client by its MAC; null: a viewer that was given no ticket here. */
export const Connection = strictObject({
  who: nullable(Type.String()),
  device: Type.Boolean(),
  you: Type.Boolean(),
  address: Type.String(),
  since: Instant,
})
export type Connection = Static<typeof Connection>

/** A pool or machine that a person may use: one card of their page. */
export const Offer = strictObject({
  kind: oneOf(['pool', 'machine'] as const),
  name: Name,
  state: oneOf(['yours', 'free', 'full', 'maintenance'] as const),
  reason: Type.String({
    description: 'Of the maintenance, or what is done to a desktop, for the reader',
  }),
  own: Type.Boolean({
    description:
      'Granted to them or held by them; false: they only may because they may everything',
  }),
  image: nullable(
    Type.String({
      description:
        'The golden machine that it is made from; null also for those who may only use it',
    }),
  ),
  verbs: Type.Array(Verb, {
    description:
      'What they may do with their desktop, or with the pool or machine while they have none',
  }),
  free: nullable(Type.Integer({ description: 'Of a pool: desktops that nobody has' })),
  waiting: nullable(Type.Integer({ description: 'Of a pool: who wait for one' })),
  startMs: nullable(
    Type.Integer({
      description: 'How long starts took there lately, the median; null: none was seen',
    }),
  ),
  power: nullable(PowerState),
  desktop: nullable(Desktop),
  step: nullable(oneOf(PREPARING_STEPS)),
  takenFor: nullable(oneOf(TAKEN_FOR)),
  queue: nullable(strictObject({ place: Type.Integer(), since: Instant })),
  connected: Type.Array(Connection),
})
export type Offer = Static<typeof Offer>
export const OfferList = strictObject({ offers: Type.Array(Offer) })
export type OfferList = Static<typeof OfferList>
