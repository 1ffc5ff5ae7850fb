import { type Job, JOB_ENDED, type JobState, type TargetState } from '../api/jobs.js'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import type { Queries, Store } from '../store/open.js'
import type { JobRow } from '../store/tables.js'
import { mapInTurns } from '../turn.js'
import { type Findings, findingsOf, inGroups, type JobTargetRow, targetsOf } from './targets.js'

/** From which states a job enters a state; everything else is refused by the guarded UPDATE. */
const ENTERED_FROM = {
  running: ['queued', 'running'],
  cancelling: ['queued', 'running', 'cancelling'],
  succeeded: ['running', 'cancelling'],
  partly: ['running', 'cancelling'],
  failed: ['running', 'cancelling'],
  cancelled: ['cancelling'],
} as const satisfies Partial<Record<JobState, readonly JobState[]>>

export interface NewJob {
  readonly id: string
  readonly kind: string
  readonly subject: string
  readonly input: unknown
  readonly targets: readonly string[]
  readonly createdBy: string
  /** Ids of the machines that no other job may touch meanwhile. */
  readonly locks: readonly string[]
}

/** Writes a queued job and takes its locks; throws `busy` naming the job that holds one of them. */
export async function insertJob(queries: Queries, job: NewJob): Promise<void> {
  await refuseIfLocked(queries, job.locks)
  await queries
    .insertInto('job')
    .values({
      id: job.id,
      kind: job.kind,
      subject: job.subject,
      state: 'queued',
      input: JSON.stringify(job.input),
      created_by: job.createdBy,
      owner: null,
      lease_until: null,
      created_at: Date.now(),
      started_at: null,
      finished_at: null,
    })
    .execute()
  for (const part of slices(
    job.targets.map((name, position) => ({
      job_id: job.id,
      name,
      position,
      state: 'pending' as const,
    })),
  )) {
    await queries.insertInto('job_target').values(part).execute()
  }
  for (const part of slices(job.locks.map((machine_id) => ({ machine_id, job_id: job.id })))) {
    await queries.insertInto('job_lock').values(part).execute()
  }
}

/** Throws `busy` when a job works on one of these machines. */
export async function refuseIfLocked(
  queries: Queries,
  machineIds: readonly string[],
): Promise<void> {
  for (const part of slices(machineIds)) {
    const taken = await queries
      .selectFrom('job_lock')
      .innerJoin('job', 'job.id', 'job_lock.job_id')
      .innerJoin('machine', 'machine.id', 'job_lock.machine_id')
      .select(['machine.name', 'job.id', 'job.kind'])
      .where('job_lock.machine_id', 'in', part)
      .limit(1)
      .executeTakeFirst()
    if (taken)
      throw refusal('job_works_on_it', { job: taken.id, kind: taken.kind, machine: taken.name })
  }
}

/** SQLite bounds the number of bound values of a statement. */
function slices<T>(all: readonly T[], size = 500): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  )
}

const JOBS_PRUNED_AT_A_TIME = 200

/**
 * Removes the jobs that ended before this time (milliseconds since 1970), with all that belongs to
 * them; gives how many.
 */
export async function pruneJobs(store: Store, before: number): Promise<number> {
  for (let removed = 0; ;) {
    const { numDeletedRows } = await store
      .deleteFrom('job')
      .where('id', 'in', (eb) =>
        eb
          .selectFrom('job')
          .select('id')
          .where('finished_at', '<', before)
          .limit(JOBS_PRUNED_AT_A_TIME),
      )
      .executeTakeFirst()
    removed += Number(numDeletedRows)
    if (numDeletedRows < JOBS_PRUNED_AT_A_TIME) return removed
  }
}

/** Changes the state if the table of transitions allows it; false when it does not. */
export async function enterState(
  queries: Queries,
  id: string,
  state: keyof typeof ENTERED_FROM,
  change: { message?: string; owner?: string; leaseUntil?: number } = {},
): Promise<boolean> {
  const now = Date.now()
  const ended = JOB_ENDED.includes(state)
  const { numUpdatedRows } = await queries
    .updateTable('job')
    .set((eb) => ({
      state,
      ...(change.message === undefined ? {} : { message: change.message }),
      ...(change.owner === undefined
        ? {}
        : { owner: change.owner, lease_until: change.leaseUntil ?? null }),
      ...(state === 'running' ? { started_at: eb.fn.coalesce('started_at', eb.val(now)) } : {}),
      ...(ended ? { finished_at: now, owner: null, lease_until: null } : {}),
    }))
    .where('id', '=', id)
    .where('state', 'in', [...ENTERED_FROM[state]])
    .executeTakeFirst()
  if (ended && numUpdatedRows === 1n)
    await queries.deleteFrom('job_lock').where('job_id', '=', id).execute()
  return numUpdatedRows === 1n
}

export async function setTarget(
  queries: Queries,
  jobId: string,
  name: string,
  change: { state?: TargetState; step?: string; message?: string },
): Promise<void> {
  await queries
    .updateTable('job_target')
    .set(change)
    .where('job_id', '=', jobId)
    .where('name', '=', name)
    .execute()
}

/** Live byte counts of a target, kept in memory only. */
export type Progress = (jobId: string, target: string) => { done: number; total: number }

export interface JobFilter {
  readonly id?: string
  readonly state?: JobState
  readonly kind?: string
  readonly subject?: string
  readonly limit?: number
  readonly createdBy?: string
}

/** Jobs with their targets, newest first. */
export async function readJobs(
  queries: Queries,
  progress: Progress,
  filter: JobFilter,
): Promise<Job[]> {
  const rows = await queries
    .selectFrom('job')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .limit(filter.limit ?? 50)
    .$if(filter.id !== undefined, (q) => q.where('id', '=', filter.id ?? ''))
    .$if(filter.kind !== undefined, (q) => q.where('kind', '=', filter.kind ?? ''))
    .$if(filter.subject !== undefined, (q) => q.where('subject', '=', filter.subject ?? ''))
    .$if(filter.createdBy !== undefined, (q) => q.where('created_by', '=', filter.createdBy ?? ''))
    .$if(filter.state !== undefined, (q) => q.where('state', '=', filter.state ?? 'queued'))
    .execute()
  const jobs: Job[] = []
  for (const some of await inGroups(queries, rows)) {
    const [targets, findings] = [await targetsOf(queries, some), await findingsOf(queries, some)]
    const made = await mapInTurns(some, (row) =>
      toJob(row, targets.get(row.id) ?? [], findings.get(row.id), progress),
    )
    jobs.push(...made)
  }
  return jobs
}

function toJob(
  row: JobRow,
  targets: readonly JobTargetRow[],
  findings: Findings | undefined,
  progress: Progress,
): Job {
  return {
    id: row.id,
    kind: row.kind,
    subject: row.subject,
    state: row.state,
    message: row.message,
    createdBy: row.created_by,
    createdAt: instant(row.created_at),
    startedAt: row.started_at === null ? null : instant(row.started_at),
    finishedAt: row.finished_at === null ? null : instant(row.finished_at),
    done: targets.filter((target) => !['pending', 'running'].includes(target.state)).length,
    total: targets.length,
    targets: targets.map(({ name, state, step, message }) => ({
      name,
      state,
      step,
      message,
      ...progress(row.id, name),
      ...findings?.get(name),
    })),
  }
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}

export function noSuchJob(id: string): BrokerError {
  return refusal('job_unknown', { job: id })
}
