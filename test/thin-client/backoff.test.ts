import { test } from 'tap'
import { nextPauseMs } from '../../thin-client/backoff.js'

test('a pause lies between the base and three times the last one, and under the cap', async (t) => {
  const backoff = { baseMs: 500, capMs: 30_000 }
  const cases: Array<[previousMs: number, random: number, pauseMs: number]> = [
    [0, 0, 500],
    [0, 0.999999, 1500],
    [0, 0.5, 1000],
    [1000, 0, 500],
    [1000, 0.5, 1750],
    [20_000, 0.999999, 30_000],
    [30_000, 0, 500],
  ]
  for (const [previousMs, random, pauseMs] of cases)
    t.equal(nextPauseMs(backoff, previousMs, random), pauseMs, `${previousMs} ms, ${random}`)
})
