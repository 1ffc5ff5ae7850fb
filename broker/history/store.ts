import type { Queries } from '../store/open.js'
import type { HistoryMinuteRow } from '../store/tables.js'
import type { Sample } from './policy.js'

/** A broker that was away for long has many old rows: they go in small parts, one with each sample. */
const MOST_PRUNED = 200

/** Enters a minute; one that is there already stays as it was. Gives whether it was new. */
export async function putSample(queries: Queries, sample: Sample): Promise<boolean> {
  const { at, sessions, assigned, waiting, starts } = sample
  const row: HistoryMinuteRow = {
    at,
    sessions,
    assigned,
    waiting,
    longest_wait_ms: sample.longestWaitMs,
    starts,
    start_ms: JSON.stringify(sample.startMs),
    waited_ms: JSON.stringify(sample.waitedMs),
  }
  const { numInsertedOrUpdatedRows } = await queries
    .insertInto('history_minute')
    .values(row)
    .onConflict((oc) => oc.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** Forgets minutes before `before`, the oldest first, a few at a time. */
export async function pruneSamples(queries: Queries, before: number): Promise<void> {
  await queries
    .deleteFrom('history_minute')
    .where('at', 'in', (eb) =>
      eb
        .selectFrom('history_minute')
        .select('at')
        .where('at', '<', before)
        .orderBy('at')
        .limit(MOST_PRUNED),
    )
    .execute()
}

export async function samplesSince(queries: Queries, from: number): Promise<Sample[]> {
  return (
    await queries
      .selectFrom('history_minute')
      .selectAll()
      .where('at', '>=', from)
      .orderBy('at')
      .execute()
  ).map(toSample)
}

/** When the oldest minute began that is kept; null: there is none. */
export async function oldestSample(queries: Queries): Promise<number | null> {
  return (
    (
      await queries
        .selectFrom('history_minute')
        .select('at')
        .orderBy('at')
        .limit(1)
        .executeTakeFirst()
    )?.at ?? null
  )
}

function toSample({
  longest_wait_ms: longestWaitMs,
  start_ms: startMs,
  waited_ms: waitedMs,
  ...row
}: HistoryMinuteRow): Sample {
  return { ...row, longestWaitMs, startMs: figuresIn(startMs), waitedMs: figuresIn(waitedMs) }
}

function figuresIn(text: string): number[] {
  return text === '[]' ? [] : (JSON.parse(text) as number[])
}
