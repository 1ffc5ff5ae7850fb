import t from 'tap'
import type { PoolPolicyPatch } from '../../../broker/api/pool-policy.js'
import {
  changedPolicy,
  defaultPolicy,
  faultsOfPolicy,
  idleSinceAfterChange,
  type MemberFacts,
  membersToRemove,
  missingNumbers,
  placeMembers,
  resizedPolicy,
  retentionEnd,
  spareSteps,
  strictest,
  uncleanAfter,
  wantedSize,
} from '../../../broker/pools/policy.js'

const MINUTE_MS = 60_000
const member = (number: number, more: Partial<MemberFacts> = {}): MemberFacts => ({
  machine: `p-${number}`,
  number,
  state: 'free',
  running: false,
  built: true,
  maintenance: false,
  ...more,
})

t.test('the defaults of the policy', async (t) => {
  t.match(defaultPolicy(), {
    min: 0,
    max: 0,
    spares: 0,
    retention: 'PT1H',
    onRelease: 'stop',
    onExpiry: 'stop',
    disconnectGrace: 'PT1M',
    maxSession: null,
    maxPerUser: 10,
    protocols: ['spice', 'rdp', 'vnc'],
    schedule: [],
    onShutdown: 'stay-off',
    timeZone: 'UTC',
  })
  t.same(faultsOfPolicy(defaultPolicy()), [])
})

t.test('what the schema cannot see is named with its field', async (t) => {
  const rows: Array<[PoolPolicyPatch, string | null, RegExp]> = [
    [{ min: 3, max: 2 }, 'max', /is 2, less than min \(3\)/],
    [{ min: 3, max: 0 }, null, /./],
    [{ min: 3, max: 3 }, null, /./],
    [{ timeZone: 'Europe/Vilnius' }, null, /./],
    [{ timeZone: 'Mars/Olympus' }, 'timeZone', /is no time zone/],
    [{ schedule: [{ cron: '0 7 * * 1-5', do: 'spares', spares: 2 }] }, null, /./],
    [{ schedule: [{ cron: '0 7 * * 1-5', do: 'spares' }] }, 'schedule.0.spares', /missing/],
    [{ schedule: [{ cron: '99 7 * * *', do: 'stop' }] }, 'schedule.0.cron', /99/],
    [{ schedule: [{ cron: '0 0 30 2 *', do: 'stop' }] }, 'schedule.0.cron', /never comes/],
    [{ retention: '2026-12-24T18:00:00Z' }, null, /./],
    [{ retention: '2026-13-45T18:00:00Z' }, 'retention', /no instant of the calendar/],
  ]
  for (const [patch, field, fault] of rows) {
    const faults = faultsOfPolicy(changedPolicy(defaultPolicy(), patch))
    t.same(
      faults.map((one) => one.field),
      field === null ? [] : [field],
      JSON.stringify(patch),
    )
    if (field !== null) t.match(faults[0]?.fault, fault)
  }
  t.equal(
    faultsOfPolicy({
      ...defaultPolicy(),
      min: 3,
      max: 2,
      timeZone: 'x',
      schedule: [{ cron: 'x x x x x', do: 'spares' }],
    }).length,
    4,
    'every fault at once',
  )
})

t.test('a resize moves the minimum, and never leaves a maximum below it', async (t) => {
  const of = (min: number, max: number, size?: number): number[] => {
    const { min: least, max: most } = resizedPolicy({ ...defaultPolicy(), min, max }, size)
    return [least, most]
  }
  t.same(
    [of(3, 0), of(3, 0, 5), of(3, 4, 5), of(3, 9, 5), of(3, 9, 0)],
    [
      [3, 0],
      [5, 0],
      [5, 5],
      [5, 9],
      [0, 9],
    ],
  )
})

t.test('a retention that is changed takes nothing at once', async (t) => {
  const now = Date.parse('2026-11-21T12:00:00Z')
  const minutes = (count: number): number => count * 60_000
  for (const [retention, unusedMinutes, leftMinutes] of [
    ['PT4H', 30, 210],
    ['PT1H', 30, 30],
    ['PT1H', 50, 15],
    ['PT1H', 600, 15],
    ['PT10M', 3, 10],
    ['PT10M', 600, 10],
    ['PT2M', 50, 2],
    ['PT0S', 50, 0],
    ['2026-11-21T18:00:00Z', 600, 360],
    ['2026-11-21T12:05:00Z', 600, 15],
    ['2026-11-20T00:00:00Z', 600, 15],
  ] as const) {
    const since = idleSinceAfterChange(retention, now - minutes(unusedMinutes), now)
    t.equal(
      retentionEnd(retention, since) - now,
      minutes(leftMinutes),
      `${retention} after ${unusedMinutes} minutes`,
    )
  }
})

t.test(
  'the end of a retention: a duration after the last use, or an instant that is not before it',
  async (t) => {
    const at = Date.UTC(2026, 0, 1)
    const rows: Array<[string, number]> = [
      ['PT4H', at + 240 * MINUTE_MS],
      ['PT4h', at + 240 * MINUTE_MS],
      ['pt1m', at + MINUTE_MS],
      ['P1D', at + 1_440 * MINUTE_MS],
      ['PT0S', at],
      ['2026-01-01T12:00:00Z', at + 720 * MINUTE_MS],
      ['2025-01-01T12:00:00Z', at],
      ['2026-01-01T02:00:00+02:00', at],
    ]
    for (const [retention, end] of rows) t.equal(retentionEnd(retention, at), end, retention)
  },
)

t.test('the numbers of missing members are the smallest that are free', async (t) => {
  const rows: Array<[number, number[], number[]]> = [
    [3, [], [1, 2, 3]],
    [3, [1, 3], [2]],
    [3, [7], [1, 2]],
    [2, [1, 2, 3], []],
    [0, [], []],
    [4, [2, 3], [1, 4]],
  ]
  for (const [size, taken, missing] of rows)
    t.same(missingNumbers(size, taken), missing, `${size} with ${taken.join()}`)
})

t.test(
  'members are placed where most memory is left, then where fewest are, then by name',
  async (t) => {
    const place = (hypervisor: string, freeMib: number, members = 0) => ({
      hypervisor,
      freeMib,
      members,
    })
    t.same(placeMembers(4, 1_000, [place('b', 4_000), place('a', 4_000)]), ['a', 'b', 'a', 'b'])
    t.same(placeMembers(3, 1_000, [place('a', 9_000), place('b', 2_000)]), ['a', 'a', 'a'])
    t.same(placeMembers(2, 1_000, [place('a', 4_000, 5), place('b', 4_000, 1)]), ['b', 'a'])
    t.same(
      placeMembers(2, 1_000, [place('a', 0), place('b', 0)]),
      ['a', 'b'],
      'full hosts are still spread over',
    )
    t.same(placeMembers(3, 1_000, [place('a', -500), place('b', -600)]), ['a', 'b', 'a'])
    t.same(
      placeMembers(4, 100, [place('a', 9_000), place('b', 9_500)]),
      ['b', 'a', 'b', 'a'],
      'free memory wobbles',
    )
    t.same(placeMembers(2, 1_000, []), ['', ''])
  },
)

t.test(
  'the size: up to the minimum at once, up to the maximum for those who wait, down after the cool-down',
  async (t) => {
    const facts = {
      size: 3,
      min: 2,
      max: 6,
      idle: 0,
      waiting: 0,
      neededAt: 0,
      coolDownMs: 30 * MINUTE_MS,
    }
    const rows: Array<[Partial<typeof facts>, number, number]> = [
      [{}, 0, 3],
      [{ size: 1 }, 0, 2],
      [{ waiting: 2 }, 0, 5],
      [{ waiting: 9 }, 0, 6],
      [{ waiting: 2, max: 0 }, 0, 3],
      [{ waiting: 2, idle: 1 }, 0, 4],
      [{ waiting: 1, idle: 5 }, 0, 3],
      [{ idle: 3 }, 29 * MINUTE_MS, 3],
      [{ idle: 3 }, 30 * MINUTE_MS, 2],
      [{ size: 6, idle: 1 }, 30 * MINUTE_MS, 5],
      [{ size: 6, idle: 3, max: 0 }, 99 * MINUTE_MS, 6],
      [{ idle: 3, waiting: 1 }, 99 * MINUTE_MS, 3],
      [{ idle: 0 }, 99 * MINUTE_MS, 3],
    ]
    for (const [more, now, size] of rows)
      t.equal(wantedSize({ ...facts, ...more }, now), size, JSON.stringify({ ...more, now }))
  },
)

t.test(
  'who goes when a pool is too large: failed, free and off, free and running; never one that ' +
    "is somebody's or was added by hand",
  async (t) => {
    const members = [
      member(1, { running: true }),
      member(2),
      member(3),
      member(4, { state: 'failed' }),
      member(5, { state: 'assigned' }),
      member(6, { built: false }),
      member(7, { state: 'cleaning' }),
    ]
    t.same(membersToRemove(members, 1), ['p-4'])
    t.same(membersToRemove(members, 3), ['p-4', 'p-3', 'p-2'])
    t.same(membersToRemove(members, 9), ['p-4', 'p-3', 'p-2', 'p-1'])
    t.same(membersToRemove(members, -1), [])
  },
)

t.test(
  'spares: started in the order of their numbers, beyond the wanted stopped, and none in maintenance',
  async (t) => {
    const members = [
      member(1, { running: true }),
      member(2),
      member(3, { maintenance: true }),
      member(4, { state: 'assigned', running: true }),
      member(10),
    ]
    t.same(spareSteps(members, 2, 0), { start: ['p-2'], stop: [] })
    t.same(spareSteps(members, 2, 1), { start: [], stop: [] }, 'one is on its way')
    t.same(spareSteps(members, 9, 0), { start: ['p-2', 'p-10'], stop: [] })
    t.same(spareSteps([member(1, { running: true }), member(2, { running: true })], 1, 0), {
      start: [],
      stop: ['p-2'],
    })
    t.same(spareSteps([member(1, { running: true })], 0, 0), { start: [], stop: ['p-1'] })
  },
)

t.test(
  'of several pools the strictest holds; a desktop that is kept is stopped before the next',
  async (t) => {
    const [open, shut] = [defaultPolicy(), { ...defaultPolicy(), clipboard: false, usb: false }]
    t.same(strictest([open, shut]), { clipboard: false, fileTransfer: true, usb: false })
    t.same(strictest([]), { clipboard: true, fileTransfer: true, usb: true })
    t.same(
      [uncleanAfter('keep'), uncleanAfter('stop'), uncleanAfter('rebuild')],
      ['stop', 'stop', 'rebuild'],
    )
  },
)
