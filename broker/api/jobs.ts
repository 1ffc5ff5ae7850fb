import { type Static, Type } from '@sinclair/typebox'
import { Finding } from './checks.js'
import { Instant, nullable, oneOf, strictObject } from './common.js'

/** partly: some targets are done, some failed. */
export const JOB_STATES = [
  'queued',
  'running',
  'cancelling',
  'succeeded',
  'partly',
  'failed',
  'cancelled',
] as const
export const JobState = oneOf(JOB_STATES)
export type JobState = Static<typeof JobState>
export const TARGET_STATES = [
  'pending',
  'running',
  'done',
  'failed',
  'skipped',
  'cancelled',
] as const
export const TargetState = oneOf(TARGET_STATES)
export type TargetState = Static<typeof TargetState>

export const JobTarget = strictObject({
  name: Type.String({
    description: 'A machine, a hypervisor for a carried image, or a check of a hypervisor',
  }),
  state: TargetState,
  step: Type.String({ description: 'The step it is in, or ended in' }),
  message: Type.String({ description: 'What went wrong, or what is worth knowing' }),
  done: Type.Integer({ description: 'Bytes, where the step counts bytes' }),
  total: Type.Integer(),
  finding: Type.Optional(Finding),
})
export type JobTarget = Static<typeof JobTarget>

export const Job = strictObject({
  id: Type.String(),
  kind: Type.String(),
  subject: Type.String({ description: 'The machine, pool or hypervisor it was asked for' }),
  state: JobState,
  message: Type.String(),
  createdBy: Type.String(),
  createdAt: Instant,
  startedAt: nullable(Instant),
  finishedAt: nullable(Instant),
  done: Type.Integer({ description: 'Targets that have ended' }),
  total: Type.Integer(),
  targets: Type.Array(JobTarget),
})
export type Job = Static<typeof Job>
export const JobList = strictObject({ jobs: Type.Array(Job) })
export type JobList = Static<typeof JobList>
export const JobQuery = strictObject({
  state: Type.Optional(JobState),
  kind: Type.Optional(Type.String({ maxLength: 64 })),
  subject: Type.Optional(
    Type.String({ maxLength: 64, description: 'Jobs of this machine, pool or hypervisor' }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
})
/** No job in one of these states changes again. */
export const JOB_ENDED: readonly JobState[] = ['succeeded', 'partly', 'failed', 'cancelled']
