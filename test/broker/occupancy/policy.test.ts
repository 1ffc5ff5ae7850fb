import t from 'tap'
import type { PowerState } from '../../../broker/api/machines.js'
import { type Held, reasonInUse } from '../../../broker/occupancy/policy.js'

const MINUTE_MS = 60_000
const NOON = Date.UTC(2026, 0, 1, 12)
const held = (more: Partial<Held> = {}): Held => ({
  pool_id: 'p',
  holder: 'user:ann',
  fixed: 0,
  disconnected_at: null,
  ticket_at: null,
  ...more,
})

const BY_NAME: Partial<Held> = { pool_id: null, holder: 'thin-client:1' }

const USES: Array<[string, Held | null, readonly string[], PowerState, RegExp | null]> = [
  ["nobody's", null, [], 'running', null],
  ["nobody's, and its host does not answer", null, [], 'unknown', /does not answer/],
  ['a viewer of anybody', null, ['10.0.0.9'], 'running', /viewer at 10\.0\.0\.9/],
  ["somebody's out of a pool, also when it is off", held(), [], 'off', /assigned to ann/],
  ["somebody's for good", held({ pool_id: null, fixed: 1 }), [], 'off', /assigned to ann/],
  ["a thin client's that is off", held(BY_NAME), [], 'off', null],
  ['whose host does not answer', held(BY_NAME), [], 'unknown', /does not answer/],
  ['just handed out', held({ ...BY_NAME, ticket_at: NOON }), [], 'running', /just handed out/],
  ['the ticket is old', held({ ...BY_NAME, ticket_at: NOON - 2 * MINUTE_MS }), [], 'running', null],
  [
    'the viewer just left',
    held({ ...BY_NAME, disconnected_at: NOON - MINUTE_MS }),
    [],
    'running',
    /left 60 s ago/,
  ],
  [
    'it left long ago',
    held({ ...BY_NAME, disconnected_at: NOON - 9 * MINUTE_MS }),
    [],
    'running',
    null,
  ],
]

t.test('what counts as in use', async (t) => {
  const hangs = 'QEMU of pc-1 did not answer within 2000 ms.'
  const unknowns: Array<[string, Held | null, PowerState]> = [
    ["nobody's", null, 'running'],
    ["nobody's, off when it was last seen", null, 'off'],
    ["a thin client's", held(BY_NAME), 'running'],
    ['its viewer left long ago', held({ ...BY_NAME, disconnected_at: 1 }), 'running'],
  ]
  for (const [what, times, power] of unknowns)
    t.match(
      reasonInUse(times, { viewers: [], unknown: hangs }, power, NOON, 5 * MINUTE_MS),
      /not known who is connected: QEMU of pc-1 did not answer within 2000 ms$/,
      `${what}, and its viewers are not known`,
    )
  for (const [what, times, viewers, power, reason] of USES) {
    const found = reasonInUse(times, { viewers, unknown: null }, power, NOON, 5 * MINUTE_MS)
    if (reason === null) t.equal(found, null, what)
    else t.match(found, reason, what)
  }
})
