import { type Static, Type } from '@sinclair/typebox'
import { nullable, oneOf, strictObject } from './common.js'

const DURATION_PATTERN =
  '^[Pp](?=[\\dTt])(\\d+[Dd])?([Tt](?=\\d)(\\d+[Hh])?(\\d+[Mm])?(\\d+(\\.\\d+)?[Ss])?)?$'
/**
 * Days, hours, minutes and seconds; months and years have no fixed length. The seed writes `PT4h`:
 * case does not matter.
 */
export const Duration = Type.String({
  pattern: DURATION_PATTERN,
  description: 'ISO 8601, such as PT4H or P1D; of days, hours, minutes, seconds',
})
const INSTANT_PATTERN =
  '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?(Z|[+-]\\d\\d:\\d\\d)$'
export const Retention = Type.String({
  pattern: `(${DURATION_PATTERN})|(${INSTANT_PATTERN})`,
  description:
    "How long a desktop stays its holder's after they left: a duration (PT4H), or the " +
    'instant until which (2026-12-24T18:00:00Z)',
})

/**
 * keep: left as it is for its last holder, and stopped before anybody else gets it; stop: shut
 * down, its disk stays; rebuild: its disk is recreated from the current generation.
 */
export const CLEANINGS = ['keep', 'stop', 'rebuild'] as const
export const Cleaning = oneOf(CLEANINGS)
export type Cleaning = Static<typeof Cleaning>

export const SHUTDOWN_ANSWERS = ['stay-off', 'restart', 'release'] as const
export const PROTOCOLS = ['spice', 'vnc', 'rdp'] as const

/**
 * At `cron` (five or six fields, in the pool's time zone): set the number of spares, stop the
 * desktops, or start them.
 */
export const Schedule = strictObject({
  cron: Type.String({
    minLength: 9,
    maxLength: 100,
    description: 'minute hour day month weekday, such as "0 7 * * 1-5"',
  }),
  do: oneOf(['spares', 'start', 'stop'] as const),
  spares: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 1000,
      description: 'do spares: how many are kept running from then on',
    }),
  ),
  connected: Type.Optional(
    oneOf(['spare', 'warn'] as const, {
      default: 'spare',
      description:
        'do stop: desktops with somebody connected are left alone, or stopped after a warning',
    }),
  ),
})
export type Schedule = Static<typeof Schedule>

/** A pool's policy, whole. */
export const PoolPolicy = strictObject({
  min: Type.Integer({
    minimum: 0,
    maximum: 10000,
    default: 0,
    description: 'Members that are always there',
  }),
  max: Type.Integer({
    minimum: 0,
    maximum: 10000,
    default: 0,
    description: 'Members up to which it grows when all are taken; 0: it does not grow by itself',
  }),
  coolDown: {
    ...Duration,
    default: 'PT30M',
    description: 'How long a desktop above the minimum is not needed before it is deleted',
  },
  spares: Type.Integer({
    minimum: 0,
    maximum: 1000,
    default: 0,
    description: 'Free desktops kept running',
  }),
  retention: { ...Retention, default: 'PT1H' },
  onRelease: {
    ...Cleaning,
    default: 'stop',
    description:
      'What happens to a desktop that is given back: keep (as it is for its last holder, ' +
      'stopped before anybody else gets it), stop, rebuild (its disk is recreated)',
  },
  onExpiry: {
    ...Cleaning,
    default: 'stop',
    description:
      'The same when its time is over. keep: it is reclaimed only when somebody else needs one',
  },
  disconnectGrace: {
    ...Duration,
    default: 'PT1M',
    description: 'A viewer that is back within this time counts as connected all the while',
  },
  maxSession: {
    ...nullable(Duration),
    default: null,
    description: 'How long somebody may stay connected in all; null: no limit',
  },
  maxPerUser: Type.Integer({
    minimum: 1,
    maximum: 100,
    default: 10,
    description: 'Desktops that one person may hold over all pools, this one among them',
  }),
  protocols: Type.Array(oneOf(PROTOCOLS), {
    minItems: 1,
    maxItems: 3,
    uniqueItems: true,
    default: ['spice', 'rdp', 'vnc'],
    description:
      'Ways to the screen, the preferred one first. A thin client opens RDP where that ' +
      'stands before spice, the desktop is on a bridge and answers on port 3389; else SPICE',
  }),
  clipboard: Type.Boolean({
    default: true,
    description: 'Copy and paste between the viewer and the desktop',
  }),
  fileTransfer: Type.Boolean({ default: true, description: 'Files dropped onto the viewer' }),
  usb: Type.Boolean({ default: true, description: 'USB devices of the thin client' }),
  loginOnAssignment: Type.Boolean({
    default: false,
    description: 'The guest agent logs the holder in',
  }),
  onShutdown: oneOf(SHUTDOWN_ANSWERS, {
    default: 'stay-off',
    description: 'When its holder shuts the desktop down from inside',
  }),
  timeZone: Type.String({
    maxLength: 64,
    default: 'UTC',
    description: 'Of the schedule, such as Europe/Vilnius',
  }),
  schedule: Type.Array(Schedule, {
    maxItems: 32,
    default: [],
    description:
      'At times of a cron line: how many spares are kept from then on, desktops started, or ' +
      'stopped (sparing or warning who is connected)',
  }),
})
export type PoolPolicy = Static<typeof PoolPolicy>
export const PoolPolicyPatch = Type.Partial(PoolPolicy, { additionalProperties: false })
export type PoolPolicyPatch = Static<typeof PoolPolicyPatch>
