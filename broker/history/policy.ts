import type { History, HistorySpan } from '../api/history.js'
import { median } from '../assignments/start-times.js'

export const MINUTE_MS = 60_000
export const DAY_MS = 86_400_000
/** A week, and a day on top of it. */
export const KEPT_MS = 8 * DAY_MS

/**
 * What was seen of one minute. `at`: when it began. Of the first four, what was there when it
 * ended; of the others, what happened in it.
 */
export interface Sample {
  readonly at: number
  readonly sessions: number
  readonly assigned: number
  readonly waiting: number
  readonly longestWaitMs: number
  readonly starts: number
  readonly startMs: readonly number[]
  readonly waitedMs: readonly number[]
}

const SPANS: Readonly<Record<HistorySpan, { readonly lengthMs: number; readonly stepMs: number }>> =
  {
    day: { lengthMs: DAY_MS, stepMs: 5 * MINUTE_MS },
    week: { lengthMs: 7 * DAY_MS, stepMs: 30 * MINUTE_MS },
  }

/**
 * The points of a span, which stand on whole steps since 1970: so one that is over never changes.
 * The last one holds `now`.
 */
export function gridOf(
  span: HistorySpan,
  now: number,
): { readonly from: number; readonly stepMs: number; readonly count: number } {
  const { lengthMs, stepMs } = SPANS[span]
  return {
    from: Math.floor(now / stepMs) * stepMs + stepMs - lengthMs,
    stepMs,
    count: lengthMs / stepMs,
  }
}

/** The minute that was over last. */
export function lastMinute(now: number): number {
  return Math.floor(now / MINUTE_MS) * MINUTE_MS - MINUTE_MS
}

/** Puts the samples (in any order) into the points of a span. Pure. */
export function summarise(
  span: HistorySpan,
  now: number,
  begins: number | null,
  samples: readonly Sample[],
): History {
  const { from, stepMs, count } = gridOf(span, now)
  const points: Sample[][] = Array.from({ length: count }, () => [])
  for (const sample of samples) points[Math.floor((sample.at - from) / stepMs)]?.push(sample)
  const column = (figure: (point: readonly Sample[]) => number | null): Array<number | null> =>
    points.map((point) => (point.length === 0 ? null : figure(point)))
  const most = (of: (sample: Sample) => number) => (point: readonly Sample[]) =>
    Math.max(...point.map(of))
  const sum = (of: (sample: Sample) => number) => (point: readonly Sample[]) =>
    point.reduce((total, sample) => total + of(sample), 0)
  return {
    span,
    from: new Date(from).toISOString(),
    stepSeconds: stepMs / 1_000,
    begins: begins === null ? null : new Date(begins).toISOString(),
    samples: points.map((point) => point.length),
    sessionsMean: column((point) => rounded(sum(({ sessions }) => sessions)(point) / point.length)),
    sessionsMost: column(most(({ sessions }) => sessions)),
    assignedMost: column(most(({ assigned }) => assigned)),
    waitingMost: column(most(({ waiting }) => waiting)),
    longestWaitSeconds: column((point) =>
      seconds(most(({ longestWaitMs }) => longestWaitMs)(point)),
    ),
    given: column(sum(({ waitedMs }) => waitedMs.length)),
    waitedMedianSeconds: column((point) =>
      seconds(median(point.flatMap(({ waitedMs }) => waitedMs))),
    ),
    waitedMostSeconds: column((point) =>
      seconds(greatest(point.flatMap(({ waitedMs }) => waitedMs))),
    ),
    starts: column(sum(({ starts }) => starts)),
    startMedianSeconds: column((point) => seconds(median(point.flatMap(({ startMs }) => startMs)))),
  }
}

function greatest(values: readonly number[]): number | null {
  return values.reduce<number | null>(
    (found, value) => (found === null || value > found ? value : found),
    null,
  )
}
function rounded(value: number): number {
  return Math.round(value * 10) / 10
}
function seconds(ms: number | null): number | null {
  return ms === null ? null : rounded(ms / 1_000)
}
