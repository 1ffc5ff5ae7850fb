import type { History } from '../../broker/api/history.js'

/** Columns of the API that are drawn. */
export type Column =
  | 'sessionsMost'
  | 'assignedMost'
  | 'waitingMost'
  | 'longestWaitSeconds'
  | 'waitedMedianSeconds'
  | 'starts'
  | 'startMedianSeconds'
/** PatternFly's names of colours that stand out from the ground in light and in dark. */
const COLOURS = {
  blue: '--pf-t--global--color--brand--default',
  grey: '--pf-t--global--text--color--subtle',
  orange: '--pf-t--global--icon--color--status--warning--default',
  teal: '--pf-t--global--icon--color--status--custom--default',
  purple: '--pf-t--global--icon--color--status--info--default',
  red: '--pf-t--global--icon--color--status--danger--default',
} as const

/**
 * area and bars stand on the left scale, of counts; lines of `seconds` have the right one. points:
 * where something was measured, joined where it was so without a break.
 */
export interface Line {
  readonly column: Column
  readonly scale: 'count' | 'seconds'
  readonly look: 'area' | 'bars' | 'line' | 'points'
  readonly colour: string
}
export interface Chart {
  readonly key: 'sessions' | 'waits' | 'starts'
  readonly lines: readonly Line[]
}

export const CHARTS: readonly Chart[] = [
  {
    key: 'sessions',
    lines: [
      { column: 'assignedMost', scale: 'count', look: 'line', colour: COLOURS.grey },
      { column: 'sessionsMost', scale: 'count', look: 'area', colour: COLOURS.blue },
    ],
  },
  {
    key: 'waits',
    lines: [
      { column: 'waitingMost', scale: 'count', look: 'bars', colour: COLOURS.orange },
      { column: 'longestWaitSeconds', scale: 'seconds', look: 'line', colour: COLOURS.red },
      { column: 'waitedMedianSeconds', scale: 'seconds', look: 'points', colour: COLOURS.purple },
    ],
  },
  {
    key: 'starts',
    lines: [
      { column: 'starts', scale: 'count', look: 'bars', colour: COLOURS.teal },
      { column: 'startMedianSeconds', scale: 'seconds', look: 'points', colour: COLOURS.purple },
    ],
  },
]

/** The shortest time that is drawn, in points: a young history is not a dot at the edge. */
const LEAST_POINTS = 12

/** When a point begins, in milliseconds since 1970. */
export function startOf(history: History, index: number): number {
  return Date.parse(history.from) + index * history.stepSeconds * 1_000
}

/** The middle of each point, in seconds, as the charts count. */
export function middles(history: History): number[] {
  return history.samples.map(
    (_, index) => startOf(history, index) / 1_000 + history.stepSeconds / 2,
  )
}

/** What is drawn from left to right, in seconds: all of the span, or what there is of it. */
export function extentOf(history: History): [number, number] {
  const end = startOf(history, history.samples.length)
  const begins = history.begins === null ? end : Date.parse(history.begins)
  const from = Math.max(
    startOf(history, 0),
    Math.min(begins, startOf(history, history.samples.length - LEAST_POINTS)),
  )
  return [from / 1_000, end / 1_000]
}

export interface Gap {
  readonly first: number
  readonly last: number
}

/** Runs of points without any sample. The last point is none: it may only just have begun. */
export function gapsOf(samples: readonly number[]): Gap[] {
  const gaps: Gap[] = []
  for (const [index, count] of samples.slice(0, -1).entries()) {
    if (count > 0) continue
    const before = gaps.at(-1)
    if (before?.last === index - 1) gaps[gaps.length - 1] = { first: before.first, last: index }
    else gaps.push({ first: index, last: index })
  }
  return gaps
}

/** The newest point of which something is known; -1: there is none. */
export function newest(history: History): number {
  return history.samples.findLastIndex((count) => count > 0)
}

/** Where a column is highest, and how high; null where it has no figure. */
export function peakOf(
  column: ReadonlyArray<number | null>,
): { readonly index: number; readonly value: number } | null {
  return column.reduce<{ index: number; value: number } | null>(
    (found, value, index) =>
      value !== null && (found === null || value > found.value) ? { index, value } : found,
    null,
  )
}
