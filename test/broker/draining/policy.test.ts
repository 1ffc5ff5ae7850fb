import t from 'tap'
import type { DrainStep } from '../../../broker/api/drains.js'
import {
  deadlineStep,
  drainSentence,
  drainStep,
  isLeft,
  type MachineFacts,
  progressSentence,
} from '../../../broker/draining/policy.js'

const FREE: MachineFacts = {
  name: 'p-1',
  type: 'vdi',
  power: 'off',
  job: null,
  inUse: null,
  holder: null,
  unknown: null,
  kept: false,
  desktop: 'free',
  movable: 'yes',
}
const HELD: Partial<MachineFacts> = {
  inUse: 'assigned to ann',
  holder: 'ann',
  desktop: 'assigned',
  power: 'running',
}
const CASES: ReadonlyArray<[string, Partial<MachineFacts>, boolean, DrainStep, RegExp]> = [
  [
    'one whose QEMU hangs, at the deadline',
    { ...HELD, unknown: 'QEMU of p-1 did not answer within 2000 ms.' },
    true,
    'unknown',
    /stays until it is known who is connected: QEMU of p-1 did not answer within 2000 ms\.$/,
  ],
  ['a free member that may live elsewhere', {}, false, 'move', /rebuilds it elsewhere/],
  ['the same while it runs', { power: 'running' }, false, 'move', /elsewhere/],
  ['a failed one', { desktop: 'failed' }, false, 'move', /elsewhere/],
  ['one for which there is no other place', { movable: 'no-place' }, false, 'rest', /nowhere else/],
  [
    'the same while it runs',
    { movable: 'no-place', power: 'running' },
    false,
    'stop',
    /shut down; its pool may live nowhere else/,
  ],
  [
    'what is kept for who had it last',
    { movable: 'last-holder' },
    false,
    'rest',
    /kept for who had it last/,
  ],
  [
    'the same while it runs',
    { movable: 'last-holder', power: 'running' },
    false,
    'stop',
    /shut down/,
  ],
  ['a member by hand that runs', { movable: null, power: 'running' }, false, 'stop', /shut down/],
  ["somebody's", HELD, false, 'holder', /ann has it/],
  ["somebody's, off", { ...HELD, power: 'off' }, false, 'holder', /ann has it/],
  ["somebody's, when the deadline is over", HELD, true, 'take', /ann was warned; it is taken/],
  ["somebody's for good", { ...HELD, kept: true }, false, 'holder', /until they leave/],
  [
    "somebody's for good, when the deadline is over",
    { ...HELD, kept: true },
    true,
    'stop',
    /ann was warned; it is shut down, and stays theirs/,
  ],
  ["somebody's for good, off", { ...HELD, kept: true, power: 'off' }, true, 'rest', /stays ann's/],
  ['being made ready', { desktop: 'cleaning' }, false, 'job', /made ready/],
  ['a job works on it', { job: 'j1', inUse: 'assigned to ann' }, true, 'job', /Job j1/],
  ['nobody knows whether it runs', { power: 'unknown' }, true, 'unknown', /does not answer/],
  [
    'a vdi machine in no pool that nobody uses',
    { desktop: null, movable: null, power: 'running' },
    false,
    'stop',
    /shut down/,
  ],
  [
    'a simple machine that runs',
    { type: 'simple', desktop: null, movable: null, power: 'running' },
    true,
    'by-hand',
    /simple machine and runs/,
  ],
  [
    'a source that is off',
    { type: 'source', desktop: null, movable: null },
    false,
    'rest',
    /no new image/,
  ],
  [
    'a simple machine that is off',
    { type: 'simple', desktop: null, movable: null },
    false,
    'rest',
    /off, and stays/,
  ],
  ['a paused one', { desktop: null, movable: null, power: 'paused' }, false, 'stop', /shut down/],
]
for (const [what, change, over, wanted, sentence] of CASES) {
  t.test(`a host is being emptied: ${what}`, async (t) => {
    const facts = { ...FREE, ...change }
    const step = drainStep(facts, over)
    t.equal(step, wanted)
    t.match(drainSentence(facts, step), sentence)
    t.equal(isLeft(step), wanted !== 'rest')
  })
}

t.test(
  'the deadline: warned a quarter of an hour before, and never taken sooner than a minute after that',
  async (t) => {
    const minute = 60_000
    const at = (deadline: number | null, warnedAt: number | null, now: number): string =>
      deadlineStep({ deadline, warned_at: warnedAt }, now)
    t.equal(at(null, null, 1e12), 'nothing')
    t.equal(at(60 * minute, null, 44 * minute), 'nothing')
    t.equal(at(60 * minute, null, 45 * minute), 'warn')
    t.equal(at(60 * minute, 45 * minute, 50 * minute), 'nothing')
    t.equal(at(60 * minute, 45 * minute, 60 * minute), 'over')
    t.equal(
      at(60 * minute, null, 90 * minute),
      'warn',
      'the broker was away meanwhile: first it is said',
    )
    t.equal(at(60 * minute, 90 * minute, 90.5 * minute), 'nothing')
    t.equal(at(60 * minute, 90 * minute, 91 * minute), 'over')
  },
)

t.test('how far it is, in a sentence', async (t) => {
  const said = (left: number, others = 0, emptyAt: number | null = null): string =>
    progressSentence({ left, total: 12, others, emptyAt, draining: true })
  t.equal(said(3), '3 of 12 left.')
  t.equal(said(4, 1), "3 of 12 left, and 1 domain that is not Berth's.")
  t.equal(said(2, 2), "2 domains that are not Berth's left.")
  t.equal(said(0, 0, 5), 'It is empty: it may be switched off.')
  t.equal(said(1, 0, 5), '1 of 12 left.', 'something was started since')
  t.match(
    progressSentence({ left: 2, total: 0, others: 0, emptyAt: null, draining: false }),
    /2 machines would have to leave it/,
  )
})
