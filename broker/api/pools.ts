import { type Static, Type } from '@sinclair/typebox'
import { Instant, Name, Reason, nullable, oneOf, strictObject } from './common.js'
import { Network } from './machines.js'
import { PoolPolicy, PoolPolicyPatch } from './pool-policy.js'

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
