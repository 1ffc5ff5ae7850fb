import t from 'tap'
import type { Schedule } from '../../../broker/api/pool-policy.js'
import { defaultPolicy } from '../../../broker/pools/policy.js'
import { dueEntries, scheduledSpares } from '../../../broker/pools/schedule.js'

const policyWith = (schedule: Schedule[], timeZone = 'UTC') => ({
  ...defaultPolicy(),
  spares: 1,
  schedule,
  timeZone,
})
const MORNING: Schedule = { cron: '0 7 * * 1-5', do: 'spares', spares: 5 }
const EVENING: Schedule = { cron: '0 20 * * *', do: 'spares', spares: 0 }

t.test('spares are what the latest entry said', async (t) => {
  const rows: Array<[string, Schedule[], number]> = [
    ['2026-01-05T06:59:59Z', [MORNING, EVENING], 0],
    ['2026-01-05T07:00:00Z', [MORNING, EVENING], 5],
    ['2026-01-05T19:59:59Z', [MORNING, EVENING], 5],
    ['2026-01-05T20:00:00Z', [MORNING, EVENING], 0],
    ['2026-01-10T12:00:00Z', [MORNING, EVENING], 0],
    ['2026-01-10T12:00:00Z', [MORNING], 5],
    ['2026-01-05T12:00:00Z', [], 1],
    ['2026-01-05T12:00:00Z', [{ cron: '0 8 * * *', do: 'stop' }], 1],
  ]
  for (const [now, schedule, spares] of rows)
    t.equal(
      scheduledSpares(policyWith(schedule), Date.parse(now)),
      spares,
      `${now} with ${schedule.length}`,
    )
})

t.test("the time zone is the pool's, and summer time is followed", async (t) => {
  const spares = (now: string): number =>
    scheduledSpares(policyWith([MORNING, EVENING], 'Europe/Vilnius'), Date.parse(now))
  t.same(
    [spares('2026-01-05T04:59:59Z'), spares('2026-01-05T05:00:00Z')],
    [0, 5],
    'UTC+2 in winter',
  )
  t.same(
    [spares('2026-07-06T03:59:59Z'), spares('2026-07-06T04:00:00Z')],
    [0, 5],
    'UTC+3 in summer',
  )
})

t.test('what starts and stops is due once, and not when it is long past', async (t) => {
  const stop: Schedule = { cron: '0 20 * * *', do: 'stop', connected: 'warn' }
  const start: Schedule = { cron: '5 20 * * *', do: 'start' }
  const at = (time: string): number => Date.parse(`2026-01-05T${time}Z`)
  const due = (since: string, now: string): string[] =>
    dueEntries(policyWith([start, stop, MORNING]), at(since), at(now)).map((entry) => entry.do)
  t.same(due('19:50:00', '19:59:59'), [])
  t.same(due('19:59:55', '20:00:00'), ['stop'])
  t.same(due('20:00:00', '20:00:05'), [], 'once')
  t.same(due('19:59:00', '20:06:00'), ['stop', 'start'], 'in the order of their times')
  t.same(due('12:00:00', '20:14:00'), ['stop', 'start'], 'a little late after a restart')
  t.same(due('12:00:00', '20:16:00'), ['start'], 'what is long past is not done')
  t.same(due('12:00:00', '23:00:00'), [])
})
