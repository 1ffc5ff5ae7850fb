import { type Static, Type } from '@sinclair/typebox'
import { Instant, Name, Reason, nullable, oneOf, strictObject } from './common.js'
import { Network } from './machines.js'

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

/**
 * free: can be claimed; assigned: somebody's; cleaning: made ready for the next; failed: could not
 * be built, started or cleaned and is handed to nobody.
 */
export const DESKTOP_STATES = [
  'building',
  'free',
  'assigned',
  'cleaning',
  'failed',
  'deleting',
] as const
export const DesktopState = oneOf(DESKTOP_STATES)
export type DesktopState = Static<typeof DesktopState>

export const PoolMember = strictObject({
  machine: Name,
  hypervisor: Name,
  state: DesktopState,
  reason: Type.String(),
  since: Instant,
  power: Type.String(),
  generation: nullable(Type.String()),
  renewPending: Type.Boolean(),
  holder: nullable(Type.String({ description: 'A person, or thin-client:MAC' })),
  connected: Type.Boolean(),
  expiresAt: nullable(Instant),
  lastUsedAt: nullable(Instant),
  maintenance: Type.Boolean(),
  built: Type.Boolean({ description: 'Made by the pool, and deleted with it' }),
})
export type PoolMember = Static<typeof PoolMember>

export const Pool = strictObject({
  name: Name,
  namespace: Type.String(),
  initial: nullable(Name),
  policy: PoolPolicy,
  size: Type.Integer({ description: 'Members that it builds for itself' }),
  state: oneOf(['active', 'deleting'] as const),
  maintenance: Type.Boolean(),
  maintenanceReason: Type.String(),
  createdAt: Instant,
  spares: Type.Integer({ description: "Wanted now: the policy's, or what the schedule said last" }),
  counts: Type.Record(Type.String(), Type.Integer(), { description: 'Members by state' }),
  waiting: Type.Integer({ description: 'Who wait for a desktop' }),
  generations: Type.Array(
    strictObject({ generation: Type.String(), members: Type.Integer(), current: Type.Boolean() }),
  ),
  job: nullable(Type.String()),
  whole: Type.Optional(
    Type.Boolean({
      description:
        'false: only what concerns who asks: of counts the free ones, no generations, no ' +
        'job, not what it is made from. Those who may assign or administer see it whole',
    }),
  ),
  forYou: Type.Optional(
    nullable(
      strictObject(
        {
          state: oneOf(['yours', 'free', 'full', 'maintenance'] as const, {
            description:
              'yours: they have a desktop of it; free: they can have one at once; full: they would ' +
              'wait; maintenance: not handed out',
          }),
          machine: nullable(Name),
        },
        { description: 'null: who asks may not have a desktop of it' },
      ),
    ),
  ),
})
export type Pool = Static<typeof Pool>
export const PoolDetail = strictObject({ pool: Pool, members: Type.Array(PoolMember) })
export type PoolDetail = Static<typeof PoolDetail>
export const PoolList = strictObject({ pools: Type.Array(Pool) })
export const PoolAndJob = strictObject({ pool: Pool, job: nullable(Type.String()) })

/**
 * `from`: the golden machine. A source or simple one gets an initial, POOL-gold, and its disk is
 * copied; an initial or the parent of a vdi machine is used as it is.
 */
export const PoolCreate = strictObject({
  name: Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,56}$',
    description:
      'Letters, digits, dot, dash, underscore; starts with a letter or digit; at most 57, so ' +
      'that its members can be called NAME-1',
  }),
  from: Type.Optional(Name),
  size: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })),
  namespace: Type.Optional(Type.String({ maxLength: 63 })),
  hypervisors: Type.Optional(
    Type.Array(Name, {
      minItems: 1,
      maxItems: 64,
      description: 'Where members may live; absent: every hypervisor that is up',
    }),
  ),
  memoryMib: Type.Optional(Type.Integer({ minimum: 32, maximum: 4194304 })),
  vcpus: Type.Optional(Type.Integer({ minimum: 1, maximum: 512 })),
  network: Type.Optional(Network),
  discardChanges: Type.Optional(Type.Boolean()),
  policy: Type.Optional(PoolPolicyPatch),
})
export type PoolCreate = Static<typeof PoolCreate>
export const PoolPatch = strictObject(
  {
    size: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })),
    force: Type.Optional(
      Type.Boolean({ description: 'Shrinking: also desktops that somebody has' }),
    ),
    policy: Type.Optional(PoolPolicyPatch),
  },
  { minProperties: 1 },
)
export type PoolPatch = Static<typeof PoolPatch>
export const PoolMaintenance = strictObject({ on: Type.Boolean(), reason: Type.Optional(Reason) })
export const PoolDeleteQuery = strictObject({
  force: Type.Optional(Type.Boolean()),
  keepMachines: Type.Optional(Type.Boolean()),
})
export const MemberAdd = strictObject({ machine: Name })
export const MemberParams = strictObject({ name: Name, machine: Name })

/** Documents as in a file; `dryRun` only tells what would change. */
export const ApplyRequest = strictObject({
  yaml: Type.String({ maxLength: 1048576 }),
  dryRun: Type.Optional(Type.Boolean()),
})
export const ApplyResult = strictObject({
  changes: Type.Array(
    strictObject({
      object: Type.String(),
      action: oneOf(['create', 'change', 'none'] as const),
      fields: Type.Array(
        strictObject({ field: Type.String(), before: Type.Unknown(), after: Type.Unknown() }),
      ),
    }),
  ),
  jobs: Type.Array(Type.String()),
  warnings: Type.Array(Type.String()),
})
export type ApplyResult = Static<typeof ApplyResult>
export const ExportResult = strictObject({ yaml: Type.String() })
