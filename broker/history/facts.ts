import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { WAITER_COUNTS_MS } from '../assignments/queue.js'
import type { Queries } from '../store/open.js'
import { MINUTE_MS, type Sample } from './policy.js'

/** In the detail of `desktop.assign` (assignments/claims.ts), where somebody had asked for it. */
const Waited = Type.Object({ waitedMs: Type.Number() })
/** A start with something to say did nothing: the machine ran already (machines/power.ts). */
const STARTED = '""'

/**
 * What the broker has recorded of the minute that began at `at`, and what is there `now`.
 * Everything is counted in indexes.
 */
export async function factsOf(queries: Queries, at: number, now: number): Promise<Sample> {
  const held = await queries
    .selectFrom('assignment')
    .select(({ fn }) => [
      fn.countAll<number>().as('assigned'),
      fn.sum<number | null>('connected').as('sessions'),
    ])
    .executeTakeFirstOrThrow()
  const queue = await queries
    .selectFrom('waiter')
    .select(({ fn }) => [
      fn.countAll<number>().as('waiting'),
      fn.min<number | null>('since').as('since'),
    ])
    .where('asked_at', '>', now - WAITER_COUNTS_MS)
    .executeTakeFirstOrThrow()
  const { starts, startMs } = await startsIn(queries, at)
  return {
    at,
    sessions: held.sessions ?? 0,
    assigned: held.assigned,
    waiting: queue.waiting,
    longestWaitMs: queue.since === null ? 0 : Math.max(0, now - queue.since),
    starts,
    startMs,
    waitedMs: await waitsIn(queries, at),
  }
}

/**
 * From the journal of jobs. What a start took is known of jobs for one machine only: in one for
 * many, each waits for its turn.
 */
async function startsIn(
  queries: Queries,
  at: number,
): Promise<{ starts: number; startMs: number[] }> {
  const rows = await queries
    .selectFrom('job_step')
    .innerJoin('job', 'job.id', 'job_step.job_id')
    .select([
      'job_step.at',
      'job.started_at',
      ({ selectFrom, fn }) =>
        selectFrom('job_target')
          .select(fn.countAll<number>().as('count'))
          .whereRef('job_target.job_id', '=', 'job.id')
          .as('targets'),
    ])
    .where('job_step.step', '=', 'start')
    .where('job_step.at', '>=', at)
    .where('job_step.at', '<', at + MINUTE_MS)
    .where('job.kind', '=', 'power')
    .where('job_step.result', '=', STARTED)
    .execute()
  return {
    starts: rows.length,
    startMs: rows.flatMap((row) =>
      row.targets === 1 && row.started_at !== null ? [Math.max(0, row.at - row.started_at)] : [],
    ),
  }
}

/** From the audit log, of which only the newest rows are read. */
async function waitsIn(queries: Queries, at: number): Promise<number[]> {
  const before = await queries
    .selectFrom('event')
    .select('id')
    .where('at', '<', at)
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  const rows = await queries
    .selectFrom('event')
    .select('detail')
    .where('id', '>', before?.id ?? 0)
    .where('at', '>=', at)
    .where('at', '<', at + MINUTE_MS)
    .where('action', '=', 'desktop.assign')
    .execute()
  return rows.flatMap(({ detail }) => {
    const told: unknown = JSON.parse(detail)
    return Value.Check(Waited, told) ? [told.waitedMs] : []
  })
}
