import t from 'tap'
import type { Holder } from '../../../broker/api/machines.js'
import {
  type ConsoleStep,
  consoleStep,
  isLoopback,
  occupantOf,
  plainAddress,
  type Seat,
  seatChange,
} from '../../../broker/consoles/policy.js'

const ALICE: Holder = { kind: 'person', name: 'alice' }
const BOB: Holder = { kind: 'person', name: 'bob' }
const NOW = 1_000_000
const seat = (more: Partial<Seat> = {}): Seat => ({
  holder: ALICE,
  address: '10.0.0.1',
  via: 'direct',
  ticketAt: NOW - 5_000,
  connectedAt: null,
  disconnectedAt: null,
  ...more,
})

const OCCUPANTS: ReadonlyArray<[string, Seat | null, string[], string | null]> = [
  ['nobody ever', null, [], null],
  ['a viewer without a ticket of ours', null, ['10.0.0.9'], 'unknown'],
  ['a ticket that may still be used', seat(), [], 'alice'],
  ['a ticket that has run out', seat({ ticketAt: NOW - 31_000 }), [], null],
  [
    'a viewer of hers',
    seat({ ticketAt: NOW - 3_600_000, connectedAt: NOW - 3_500_000 }),
    ['10.0.0.1'],
    'alice',
  ],
  ['hers, not noted yet', seat(), ['10.0.0.1'], 'alice'],
  [
    'hers has just left, not noted yet',
    seat({ ticketAt: NOW - 3_600_000, connectedAt: NOW - 3_500_000 }),
    [],
    null,
  ],
  ['hers left at once and its ticket is burned', seat({ disconnectedAt: NOW - 1_000 }), [], null],
  [
    'hers left long ago, somebody else came without a ticket',
    seat({ ticketAt: NOW - 3_600_000, disconnectedAt: NOW - 3_000_000 }),
    ['10.0.0.1'],
    'unknown',
  ],
]
for (const [what, given, viewers, wanted] of OCCUPANTS) {
  t.test(`who has the screen: ${what}`, async (t) => {
    const found = occupantOf(given, viewers, NOW)
    t.equal(found === null ? null : (found.holder?.name ?? 'unknown'), wanted)
  })
}

const hers = { holder: ALICE, address: '10.0.0.1', sinceMs: NOW, connected: true }
const STEPS: ReadonlyArray<
  [string, Parameters<typeof consoleStep>[0], Holder, string, boolean, boolean, ConsoleStep]
> = [
  ['a free screen', null, BOB, '10.0.0.2', false, false, 'give'],
  ['her own, from elsewhere', hers, ALICE, '10.9.9.9', false, false, 'give'],
  ["somebody else's", hers, BOB, '10.0.0.2', false, false, 'refuse'],
  ["somebody else's, without asking to take it", hers, BOB, '10.0.0.2', false, true, 'refuse'],
  ['taking without the verb', hers, BOB, '10.0.0.2', true, false, 'forbid'],
  ['taking with the verb', hers, BOB, '10.0.0.2', true, true, 'take'],
  [
    'a device of the same name',
    hers,
    { kind: 'device', name: 'alice' },
    '10.0.0.1',
    false,
    false,
    'refuse',
  ],
  [
    'an unknown viewer at his own address',
    { ...hers, holder: null },
    BOB,
    '10.0.0.1',
    false,
    false,
    'give',
  ],
  [
    'an unknown viewer elsewhere',
    { ...hers, holder: null },
    BOB,
    '10.0.0.2',
    false,
    false,
    'refuse',
  ],
]
for (const [what, occupant, holder, address, take, mayTake, wanted] of STEPS) {
  t.test(`a console is asked for: ${what}`, async (t) => {
    t.equal(consoleStep(occupant, { holder, address, take, mayTake }), wanted)
  })
}

t.test('what a look means for a seat', async (t) => {
  t.equal(seatChange(seat(), [], NOW), null)
  t.equal(seatChange(seat(), ['10.0.0.1'], NOW), 'opened')
  t.equal(seatChange(seat({ connectedAt: NOW }), ['10.0.0.1'], NOW), null)
  t.equal(seatChange(seat({ connectedAt: NOW }), [], NOW), 'closed')
  t.equal(
    seatChange(seat({ ticketAt: NOW - 3_600_000, disconnectedAt: NOW - 1 }), ['10.0.0.1'], NOW),
    null,
    'a burned ticket opens nothing',
  )
})

t.test('addresses', async (t) => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', 'localhost', '::ffff:127.0.0.1'])
    t.ok(isLoopback(address), address)
  for (const address of ['10.0.0.1', '0.0.0.0', '::', 'hv1.example.org', '127.example.org'])
    t.notOk(isLoopback(address), address)
  t.equal(plainAddress('::FFFF:10.0.0.1'), '10.0.0.1')
  t.equal(plainAddress('FE80::1'), 'fe80::1')
})
