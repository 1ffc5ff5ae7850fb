import { type Static, Type } from '@sinclair/typebox'
import { Instant, Name, nullable, oneOf, strictObject } from './common.js'

/**
 * preparing: cleaned, moved or started; ready: a viewer can be opened; connected: one is; grace:
 * its viewer left a moment ago; disconnected: its time runs.
 */
export const PHASES = [
  'preparing',
  'ready',
  'connected',
  'grace',
  'disconnected',
  'off',
  'failed',
] as const
export const Phase = oneOf(PHASES)
export type Phase = Static<typeof Phase>

export const PersonName = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000-\\u001f\\u007f]+$',
  description: 'Name of an account',
})

/** A desktop that somebody has. */
export const Desktop = strictObject({
  machine: Name,
  pool: nullable(Name),
  holder: Type.String(),
  byAdministrator: Type.Boolean(),
  phase: Phase,
  sentence: Type.String({ description: 'What is happening, for the reader' }),
  power: Type.String(),
  assignedAt: Instant,
  connectedAt: nullable(Instant),
  disconnectedAt: nullable(Instant),
  lastUsedAt: Instant,
  expiresAt: nullable(
    Type.String({ format: 'date-time', description: 'null: not while connected, or never' }),
  ),
  sessionEndsAt: nullable(Instant),
  warning: nullable(strictObject({ at: Instant, sentence: Type.String(), takenAt: Instant })),
  notice: Type.String({
    description:
      'What an administrator has said to those who are on a hypervisor that they empty; may be empty',
  }),
  watchedBy: Type.Array(Type.String(), {
    description: 'Who looks at its screen now without having it',
  }),
})
export type Desktop = Static<typeof Desktop>
export const DesktopList = strictObject({ desktops: Type.Array(Desktop) })
export type DesktopList = Static<typeof DesktopList>

/**
 * `wait`: take a place in the queue when all are taken; ask again with it to keep the place.
 * `waitMs`: how long to wait for an answer.
 */
export const ClaimRequest = strictObject({
  wait: Type.Optional(Type.Boolean()),
  waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 60000 })),
})
export type ClaimRequest = Static<typeof ClaimRequest>
/** One of both is null. */
export const ClaimAnswer = strictObject({
  desktop: nullable(Desktop),
  queue: nullable(
    strictObject({
      place: Type.Integer({ description: '1: the next' }),
      since: Instant,
      sentence: Type.String(),
      nextFreeAt: nullable(Instant),
      askAgainMs: Type.Integer(),
    }),
  ),
})
export type ClaimAnswer = Static<typeof ClaimAnswer>

/**
 * By an administrator. `machine`: this member; absent: any. `fixed`: it never expires. `waitMs`:
 * how long to wait until it can be opened.
 */
export const AssignRequest = strictObject({
  user: PersonName,
  machine: Type.Optional(Name),
  fixed: Type.Optional(Type.Boolean()),
  waitMs: ClaimRequest.properties.waitMs,
})
/** `warnings`: what the administrator may have overlooked. */
export const AssignAnswer = strictObject({
  ...Desktop.properties,
  warnings: Type.Array(Type.String()),
})
export type AssignAnswer = Static<typeof AssignAnswer>
export const MachineAssignRequest = Type.Omit(AssignRequest, ['machine'], {
  additionalProperties: false,
})
/** `force`: also while somebody is connected. */
export const ReleaseRequest = strictObject({ force: Type.Optional(Type.Boolean()) })

/** Names of what was made again from the hypervisors. */
export const RebuildRequest = strictObject({ dryRun: Type.Optional(Type.Boolean()) })
export const RebuildResult = strictObject({
  machines: Type.Array(Type.String()),
  generations: Type.Array(Type.String()),
  pools: Type.Array(Type.String()),
  assignments: Type.Array(Type.String()),
  warnings: Type.Array(Type.String()),
})
