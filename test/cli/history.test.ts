import { test } from 'tap'
import { History } from '../../broker/api/history.js'
import { answer, refuse } from './stub-broker.js'
import { bench } from './with-broker.js'

const HISTORY: History = {
  span: 'day',
  from: '2026-11-21T12:00:00.000Z',
  stepSeconds: 300,
  begins: '2026-11-21T12:01:00.000Z',
  samples: [4, 0, 5],
  sessionsMean: [1.5, null, 3],
  sessionsMost: [2, null, 3],
  assignedMost: [7, null, 8],
  waitingMost: [0, null, 2],
  longestWaitSeconds: [0, null, 61.5],
  given: [0, null, 4],
  waitedMedianSeconds: [null, null, 12],
  waitedMostSeconds: [null, null, 33],
  starts: [0, null, 6],
  startMedianSeconds: [null, null, 9.5],
}

test('history: a line for each time of which something is known', async (t) => {
  const { broker, berth } = await bench(t)
  for (const span of ['day', 'week'])
    broker.on(`GET /history?span=${span}`, answer(History, HISTORY))
  const shown = await berth(['history'])
  t.equal(shown.code, 0)
  const lines = shown.stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
  t.equal(lines.length, 3)
  t.same(lines[0], [
    'FROM',
    'CONNECTED (MEAN)',
    'CONNECTED (MOST)',
    'ASSIGNED',
    'WAITING',
    'LONGEST WAIT (S)',
    'GIVEN',
    'WAITED (MEDIAN S)',
    'WAITED (MOST S)',
    'STARTS',
    'START (MEDIAN S)',
  ])
  t.same(lines[1], ['2026-11-21T12:00Z', '1.5', '2', '7', '0', '0', '0', '-', '-', '0', '-'])
  t.same(lines[2], ['2026-11-21T12:10Z', '3', '3', '8', '2', '61.5', '4', '12', '33', '6', '9.5'])
  t.same(JSON.parse((await berth(['history', '--span', 'week', '-o', 'json'])).stdout), HISTORY)
})

test('history: nothing yet, a span that is none, and a refusal', async (t) => {
  const { broker, berth } = await bench(t)
  broker.on(
    'GET /history?span=day',
    answer(History, { ...HISTORY, begins: null, samples: [0, 0, 0] }),
  )
  t.match((await berth(['history'])).stdout, /Nothing was sampled in the last day/)
  t.match(await berth(['history', '--span', 'month']), {
    code: 2,
    stderr: /Allowed choices are day, week/,
  })
  broker.on('GET /history?span=day', refuse('forbidden', 'You may not.'))
  t.match((await berth(['history'])).stderr, /You may not/)
})
