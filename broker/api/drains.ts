import { type Static, Type } from '@sinclair/typebox'
import { Instant, Name, nullable, oneOf, strictObject } from './common.js'
import { Duration } from './pool-policy.js'

/**
 * What becomes of a machine on a hypervisor that is being emptied. rest: it is off, and stays; holder:
 * somebody has it, and it waits until they leave; job: a job works on it, or it is made ready;
 * unknown: its power is not known; move: a pool's own member, deleted here and built elsewhere;
 * stop: free, and shut down; take: its holder's time is over; by-hand: it runs and is not Berth's
 * to stop.
 */
export const DRAIN_STEPS = [
  'rest',
  'holder',
  'job',
  'unknown',
  'move',
  'stop',
  'take',
  'by-hand',
] as const
export type DrainStep = (typeof DRAIN_STEPS)[number]

export const DrainMachine = strictObject({
  machine: Name,
  pool: nullable(Name),
  power: Type.String(),
  step: oneOf(DRAIN_STEPS),
  sentence: Type.String({ description: 'What becomes of it and why, for the reader' }),
  holder: nullable(Type.String()),
  connected: Type.Boolean(),
  until: nullable(
    Type.String({
      format: 'date-time',
      description: "When it is no longer its holder's; null while they are connected, or for ever",
    }),
  ),
})
export type DrainMachine = Static<typeof DrainMachine>

/** Without `drain` it is the plan: what would become of each machine. */
export const DrainState = strictObject({
  drain: nullable(
    strictObject({
      beganAt: Instant,
      by: Type.String(),
      message: Type.String(),
      deadline: nullable(Instant),
      total: Type.Integer({
        description: 'Machines with which something was to be done at the beginning',
      }),
      emptyAt: nullable(
        Type.String({
          format: 'date-time',
          description: 'Since when nothing runs on it: it may be switched off',
        }),
      ),
    }),
  ),
  left: Type.Integer({
    description:
      "Machines with which something is still to be done, and domains that are not Berth's",
  }),
  machines: Type.Array(DrainMachine),
  others: Type.Array(Type.String(), { description: "Domains that run there and are not Berth's" }),
  sentence: Type.String({ description: 'How far it is' }),
})
export type DrainState = Static<typeof DrainState>

/**
 * `message`: said on the screens of those who are still there. `deadline`: after this time they are
 * taken, having been warned.
 */
export const DrainRequest = strictObject({
  reason: Type.Optional(
    Type.String({
      maxLength: 200,
      description: 'Shown to administrators and on waiting thin clients',
    }),
  ),
  message: Type.Optional(
    Type.String({
      maxLength: 200,
      description: 'Said on the screens of those who are still there',
    }),
  ),
  deadline: Type.Optional({
    ...Duration,
    description:
      'After this time, at least PT1M, those who are still there are taken; they are warned ' +
      'a quarter of an hour before. Absent: they stay until they leave',
  }),
})
export type DrainRequest = Static<typeof DrainRequest>
