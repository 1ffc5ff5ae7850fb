import t from 'tap'
import type { PowerState } from '../../../broker/api/machines.js'
import type { PoolPolicyPatch } from '../../../broker/api/pool-policy.js'
import {
  due,
  expiresAt,
  nextStep,
  phaseOf,
  type Seen,
  sessionEndsAt,
  sessionStart,
  type Times,
  warningOf,
} from '../../../broker/assignments/policy.js'
import { defaultPolicy } from '../../../broker/pools/policy.js'

const MINUTE_MS = 60_000
const NOON = Date.UTC(2026, 0, 1, 12)
const held = (more: Partial<Times> = {}): Times => ({
  pool_id: 'p',
  holder: 'user:ann',
  fixed: 0,
  connected: 0,
  wanted: 0,
  idle_since: NOON,
  session_at: null,
  disconnected_at: null,
  ticket_at: null,
  warned_for: null,
  started_at: NOON,
  stop_at: null,
  ...more,
})
const policy = (patch: PoolPolicyPatch = {}) => ({ ...defaultPolicy(), ...patch })
const minutes = (count: number): number => NOON + count * MINUTE_MS

t.test(
  'when a desktop expires: after the last use and the grace; never while connected, never a fixed one',
  async (t) => {
    const rows: Array<[string, Partial<Times>, PoolPolicyPatch, number | null]> = [
      ['an hour after the last use', {}, {}, minutes(60)],
      ['not while connected', { connected: 1 }, {}, null],
      ['a fixed one never', { fixed: 1 }, {}, null],
      ['at an instant', {}, { retention: '2026-01-01T18:00:00Z' }, minutes(360)],
      ['an instant that is past: at once', {}, { retention: '2025-01-01T18:00:00Z' }, NOON],
      ['no retention, but the grace', { disconnected_at: NOON }, { retention: 'PT0S' }, minutes(1)],
      ['the grace does not add to the retention', { disconnected_at: NOON }, {}, minutes(60)],
    ]
    for (const [what, times, patch, expires] of rows)
      t.equal(expiresAt(held(times), policy(patch)), expires, what)
    t.equal(expiresAt(held(), null), null, 'outside of pools')
  },
)

t.test('a session goes on over a short absence, and ends after the longest time', async (t) => {
  const limited = policy({ maxSession: 'PT8H', disconnectGrace: 'PT5M' })
  const rows: Array<[string, Partial<Times>, number]> = [
    ['a new one', {}, minutes(10)],
    ['goes on while connected', { session_at: NOON, connected: 1 }, NOON],
    ['back within the grace', { session_at: NOON, disconnected_at: minutes(6) }, NOON],
    ['too late', { session_at: NOON, disconnected_at: minutes(4) }, minutes(10)],
  ]
  for (const [what, times, start] of rows)
    t.equal(sessionStart(held(times), limited, minutes(10)), start, what)
  t.equal(sessionEndsAt(held({ session_at: NOON }), limited), minutes(480))
  t.equal(sessionEndsAt(held({ session_at: NOON }), policy()), null, 'no limit')
  t.equal(
    sessionEndsAt(held({ session_at: NOON, fixed: 1 }), limited),
    null,
    'a fixed one has none',
  )
  t.equal(sessionEndsAt(held(), limited), null)
})

const LONG = policy({ maxSession: 'PT8H' })

const IN_SESSION: Partial<Times> = { connected: 1, session_at: NOON }

const ENDS: Array<[string, Partial<Times>, ReturnType<typeof policy>, number, object]> = [
  ['not before its time', {}, policy(), minutes(59), { do: 'nothing' }],
  ['at its time', {}, policy(), minutes(60), { do: 'take', because: 'expired' }],
  ['never while connected', { connected: 1 }, policy(), minutes(9_999), { do: 'nothing' }],
  [
    'what is kept on expiry stays',
    {},
    policy({ onExpiry: 'keep' }),
    minutes(9_999),
    { do: 'nothing' },
  ],
  ['long before the end of the session', IN_SESSION, LONG, minutes(464), { do: 'nothing' }],
  [
    'a warning a quarter of an hour before',
    IN_SESSION,
    LONG,
    minutes(465),
    { do: 'warn', takenAt: minutes(480) },
  ],
  [
    'warned once',
    { ...IN_SESSION, warned_for: minutes(480) },
    LONG,
    minutes(470),
    { do: 'nothing' },
  ],
  [
    'at the announced time',
    { ...IN_SESSION, warned_for: minutes(480) },
    LONG,
    minutes(480),
    { do: 'take', because: 'session' },
  ],
  [
    'never without a warning: a broker that was away warns first',
    IN_SESSION,
    LONG,
    minutes(600),
    { do: 'warn', takenAt: minutes(601) },
  ],
  [
    'and waits for what it said',
    { ...IN_SESSION, warned_for: minutes(601) },
    LONG,
    minutes(600.5),
    { do: 'nothing' },
  ],
]

t.test('what the reaper does', async (t) => {
  for (const [what, times, given, now, expected] of ENDS)
    t.match(due(held(times), given, now), expected, what)
})

t.test('what the holder is told before', async (t) => {
  t.equal(warningOf(held(), policy(), minutes(44)), null)
  t.match(warningOf(held(), policy(), minutes(50)), {
    sentence: 'It is given back in 10 minutes unless you connect or extend it.',
    takenAt: '2026-01-01T13:00:00.000Z',
  })
  t.match(warningOf(held(), policy(), minutes(59.8)), { sentence: /in less than a minute/ })
  t.match(
    warningOf(
      held({ connected: 1, session_at: NOON }),
      policy({ maxSession: 'PT1H' }),
      minutes(59),
    ),
    { sentence: 'Your session ends in 1 minute: save your work, or extend it.' },
  )
  t.match(warningOf(held({ connected: 1, stop_at: minutes(5) }), policy(), NOON), {
    sentence: /shut down in 5 minutes by the schedule/,
  })
})

t.test('the phase that is shown', async (t) => {
  const rows: Array<[Partial<Times>, PowerState, number, string]> = [
    [{ wanted: 1 }, 'off', 0, 'preparing'],
    [{}, 'running', 0, 'ready'],
    [{ connected: 1 }, 'running', 0, 'connected'],
    [{ connected: 1, wanted: 1 }, 'unknown', 0, 'connected'],
    [{ disconnected_at: NOON }, 'running', 0.5, 'grace'],
    [{ disconnected_at: NOON }, 'running', 2, 'disconnected'],
    [{}, 'off', 0, 'off'],
    [{}, 'unknown', 0, 'disconnected'],
  ]
  for (const [times, power, after, phase] of rows)
    t.equal(
      phaseOf(held(times), power, policy(), minutes(after)),
      phase,
      JSON.stringify([times, power]),
    )
})

const GOOD: Seen = {
  hostUp: true,
  hostAwayMs: 0,
  power: 'off',
  hasDisk: true,
  busy: false,
  unclean: null,
  startsFailed: 0,
  hostLeaves: 'no',
}

const STEPS: Array<[string, Partial<Seen>, boolean, object]> = [
  ['off: start', {}, false, { do: 'start' }],
  ['running: ready', { power: 'running' }, false, { do: 'ready' }],
  [
    'unclean: clean first, whatever the power',
    { power: 'running', unclean: 'stop' },
    false,
    { do: 'clean' },
  ],
  ['unclean and off', { unclean: 'rebuild' }, false, { do: 'clean' }],
  ['a job is at it', { busy: true, power: 'running' }, false, { do: 'wait' }],
  ['shutting down', { power: 'shutting-down' }, false, { do: 'wait' }],
  ['unknown', { power: 'unknown' }, false, { do: 'wait' }],
  ['its host is away for a moment', { hostUp: false, hostAwayMs: 5_000 }, false, { do: 'wait' }],
  [
    'its host stays away',
    { hostUp: false, hostAwayMs: 11_000 },
    false,
    { do: 'move', failed: false },
  ],
  ['who has worked on it keeps it', { hostUp: false, hostAwayMs: 11_000 }, true, { do: 'wait' }],
  [
    'its host is being emptied, and nobody has worked on it',
    { hostLeaves: 'soon' },
    false,
    { do: 'move', failed: false, because: 'its hypervisor is being emptied', orStart: true },
  ],
  [
    'its host is being emptied, and he has worked on it',
    { hostLeaves: 'soon' },
    true,
    { do: 'start' },
  ],
  [
    'its host is being emptied, and it runs',
    { hostLeaves: 'soon', power: 'running' },
    false,
    { do: 'ready' },
  ],
  ['its host is to be empty', { hostLeaves: 'over' }, true, { do: 'rest' }],
  ['one start that failed', { startsFailed: 1 }, false, { do: 'start' }],
  [
    'it does not start',
    { startsFailed: 2 },
    false,
    { do: 'move', failed: true, because: 'it does not start' },
  ],
  ['its domain is gone', { power: 'missing' }, false, { do: 'move', failed: true }],
  ['it has no disk', { hasDisk: false }, false, { do: 'move', failed: true }],
]

t.test('one step towards a desktop that runs and is clean', async (t) => {
  for (const [what, more, begun, step] of STEPS)
    t.match(nextStep({ ...GOOD, ...more }, begun), step, what)
})
