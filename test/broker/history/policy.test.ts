import { test } from 'tap'
import {
  DAY_MS,
  gridOf,
  lastMinute,
  MINUTE_MS,
  type Sample,
  summarise,
} from '../../../broker/history/policy.js'

const NOON = Date.UTC(2026, 10, 21, 12)
const QUIET: Omit<Sample, 'at'> = {
  sessions: 0,
  assigned: 0,
  waiting: 0,
  longestWaitMs: 0,
  starts: 0,
  startMs: [],
  waitedMs: [],
}

test('the last point holds the present, and points stand on whole steps', async (t) => {
  for (const [span, count, stepMs] of [
    ['day', 288, 5 * MINUTE_MS],
    ['week', 336, 30 * MINUTE_MS],
  ] as const) {
    for (const now of [NOON, NOON + 1, NOON + 4 * MINUTE_MS, NOON + 29 * MINUTE_MS + 59_999]) {
      const grid = gridOf(span, now)
      t.same([grid.count, grid.stepMs, grid.from % stepMs], [count, stepMs, 0])
      const end = grid.from + count * stepMs
      t.ok(end > now && end - stepMs <= now, `${span} ${now}`)
    }
  }
  t.equal(lastMinute(NOON), NOON - MINUTE_MS)
  t.equal(lastMinute(NOON + 59_999), NOON - MINUTE_MS)
})

test('most, mean and sum of a point; the median is that of all starts and not of medians', async (t) => {
  const at = NOON - 5 * MINUTE_MS
  const samples: Sample[] = [
    {
      ...QUIET,
      at,
      sessions: 2,
      assigned: 7,
      waiting: 1,
      longestWaitMs: 30_000,
      starts: 1,
      startMs: [9_000],
      waitedMs: [0, 0, 0, 0],
    },
    {
      ...QUIET,
      at: at + MINUTE_MS,
      sessions: 5,
      assigned: 5,
      waiting: 4,
      longestWaitMs: 90_040,
      starts: 5,
      startMs: [1_000, 1_000, 1_000, 2_000],
      waitedMs: [61_000],
    },
    { ...QUIET, at: at + 4 * MINUTE_MS, sessions: 3, assigned: 6 },
  ]
  const answer = summarise('day', NOON, at, samples)
  const point = 288 - 2
  const of = (column: readonly unknown[]): unknown => column[point]
  t.equal(Date.parse(answer.from) + point * answer.stepSeconds * 1_000, at)
  t.same(
    [
      answer.samples,
      answer.sessionsMean,
      answer.sessionsMost,
      answer.assignedMost,
      answer.waitingMost,
      answer.longestWaitSeconds,
    ].map(of),
    [3, 3.3, 5, 7, 4, 90],
  )
  t.same([answer.given, answer.waitedMedianSeconds, answer.waitedMostSeconds].map(of), [5, 0, 61])
  t.same(
    [answer.starts, answer.startMedianSeconds].map(of),
    [6, 1],
    'a median of medians would be 5',
  )
})

test('a gap is null everywhere; a quiet point is 0, and has no median', async (t) => {
  const quiet = { ...QUIET, at: NOON }
  const { span, from, stepSeconds, begins, samples, ...figures } = summarise(
    'week',
    NOON,
    NOON - DAY_MS,
    [quiet],
  )
  t.same([span, stepSeconds, begins], ['week', 1_800, new Date(NOON - DAY_MS).toISOString()])
  t.ok(from < new Date(NOON).toISOString())
  t.same([samples.length, samples.at(-1), samples.at(-2)], [336, 1, 0])
  for (const [name, column] of Object.entries(figures)) {
    t.equal(column.length, 336, name)
    t.equal(column.at(-2), null, `${name} before`)
    t.equal(column.at(-1), /Median|waitedMost/.test(name) ? null : 0, name)
  }
})

test('what is outside of the span is in no point', async (t) => {
  const { from } = gridOf('day', NOON)
  const answer = summarise('day', NOON, null, [
    { ...QUIET, at: from - MINUTE_MS, starts: 9 },
    { ...QUIET, at: NOON + 5 * MINUTE_MS, starts: 9 },
  ])
  t.same(
    answer.samples.filter((count) => count > 0),
    [],
  )
  t.equal(answer.begins, null)
})
