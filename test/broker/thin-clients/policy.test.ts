import t from 'tap'
import {
  askAgainMs,
  type MachineFacts,
  markOf,
  nextStep,
} from '../../../broker/thin-clients/policy.js'
import type { Target } from '../../../broker/thin-clients/clients-entry.js'

const RUNNING: MachineFacts = {
  id: 'm1',
  name: 'pc-1',
  hypervisor: 'hv1',
  type: 'vdi',
  power: 'running',
  powerReason: '',
  hasDisk: true,
  maintenance: false,
  maintenanceReason: '',
  hypervisorUp: true,
  hypervisorMaintenance: false,
  hypervisorReason: '',
  job: null,
  takenBy: null,
  startFailure: null,
}
const SPICE: Target = { protocol: 'spice', machine: 'pc-1' }
const RDP: Target = { protocol: 'rdp', address: 'ts.example.org' }
const HORIZON: Target = { protocol: 'horizon', desktopPool: 'Win 10' }

/** What one machine looks like, and what its device is told. */
const TABLE: ReadonlyArray<
  readonly [
    what: string,
    facts: Partial<MachineFacts>,
    does: 'show' | 'start' | 'wait',
    state: string,
    sentence: RegExp,
  ]
> = [
  ['running', {}, 'show', '', /^$/],
  ['running while a power job ends', { job: { id: 'j1', kind: 'power' } }, 'show', '', /^$/],
  ['off', { power: 'off' }, 'start', '', /^pc-1 is being started\.$/],
  ['crashed', { power: 'crashed' }, 'start', '', /being started/],
  ['suspended', { power: 'suspended' }, 'start', '', /being started/],
  [
    'off, a start runs',
    { power: 'off', job: { id: 'j1', kind: 'power' } },
    'wait',
    'starting',
    /^pc-1 is being started\.$/,
  ],
  [
    'off, a start has just failed',
    { power: 'off', startFailure: 'hv1: no memory.' },
    'wait',
    'waiting',
    /could not be started: hv1: no memory\./,
  ],
  [
    'off without a disk',
    { power: 'off', hasDisk: false },
    'wait',
    'waiting',
    /has no disk yet\. Ask the administrator to populate/,
  ],
  [
    'shutting down',
    { power: 'shutting-down' },
    'wait',
    'starting',
    /is shutting down; it is started again then/,
  ],
  [
    'paused',
    { power: 'paused', powerReason: 'Disk error: ENOSPC.' },
    'wait',
    'waiting',
    /is paused\. Disk error: ENOSPC\./,
  ],
  [
    'missing',
    { power: 'missing' },
    'wait',
    'waiting',
    /does not exist on hv1\. Ask the administrator to populate it again/,
  ],
  ['unknown', { power: 'unknown' }, 'wait', 'waiting', /Looking for pc-1 on hv1/],
  [
    'in use',
    { takenBy: 'viewer at 10.0.0.9' },
    'wait',
    'waiting',
    /pc-1 is in use: viewer at 10\.0\.0\.9\./,
  ],
  [
    'a populate works on it',
    { job: { id: 'j7', kind: 'populate' } },
    'wait',
    'waiting',
    /being made ready \(job j7, populate\)/,
  ],
  [
    'maintenance',
    { maintenance: true },
    'wait',
    'maintenance',
    /^pc-1 is in maintenance\. This screen goes on by itself when it ends\.$/,
  ],
  [
    'maintenance with a reason',
    { maintenance: true, maintenanceReason: 'new memory. ' },
    'wait',
    'maintenance',
    /in maintenance: new memory\. This screen/,
  ],
  [
    'its host in maintenance',
    { hypervisorMaintenance: true, hypervisorReason: 'new disks' },
    'wait',
    'maintenance',
    /hv1, where pc-1 runs, is in maintenance: new disks\./,
  ],
  [
    'its host away',
    { hypervisorUp: false },
    'wait',
    'waiting',
    /hv1, where pc-1 runs, does not answer/,
  ],
  [
    'maintenance comes before all else',
    { maintenance: true, hypervisorUp: false, power: 'unknown', takenBy: 'x' },
    'wait',
    'maintenance',
    /pc-1 is in maintenance/,
  ],
  [
    'its host away comes before power',
    { hypervisorUp: false, power: 'off' },
    'wait',
    'waiting',
    /does not answer/,
  ],
  ['in use comes before off', { takenBy: 'x', power: 'off' }, 'wait', 'waiting', /in use/],
]

t.test('one machine', async (t) => {
  for (const [what, facts, does, state, sentence] of TABLE) {
    const step = nextStep([SPICE], () => ({ ...RUNNING, ...facts }))
    t.equal(step.do, does, what)
    t.equal(step.do === 'wait' ? step.state : '', state, what)
    t.match('sentence' in step ? step.sentence : '', sentence, what)
    t.equal(step.machine?.id, 'm1', what)
  }
})

t.test(
  'another target takes over when the machine cannot be had, but not while it is on its way',
  async (t) => {
    for (const [what, facts, does, state] of TABLE) {
      const step = nextStep([SPICE, RDP], () => ({ ...RUNNING, ...facts }))
      const stays = does !== 'wait' || state === 'starting'
      t.same(
        step.do === 'show' ? step.target : step.do,
        stays ? (does === 'show' ? SPICE : does) : RDP,
        what,
      )
    }
  },
)

t.test('a pool', async (t) => {
  const POOL: Target = { protocol: 'pool', pool: 'lab' }
  const of = (pool: object | null) =>
    nextStep(
      [POOL, RDP],
      () => null,
      () =>
        pool === null ? null : { name: 'lab', maintenance: false, maintenanceReason: '', ...pool },
    )
  t.same(of({}), { do: 'claim', pool: 'lab', machine: null })
  t.match(
    of({ maintenance: true }),
    { do: 'show', target: RDP },
    'another target takes over in its maintenance',
  )
  t.match(
    nextStep(
      [POOL],
      () => null,
      () => ({ name: 'lab', maintenance: true, maintenanceReason: 'cleaning' }),
    ),
    { do: 'wait', state: 'maintenance', sentence: /lab is in maintenance: cleaning\./ },
  )
  t.match(
    nextStep([POOL], () => null),
    { do: 'wait', state: 'unknown', sentence: /pool lab does not exist/ },
  )
})

t.test('targets are tried in order, and the first one is what a device waits for', async (t) => {
  const facts = new Map<string, MachineFacts>([
    ['pc-1', { ...RUNNING, maintenance: true }],
    ['pc-2', { ...RUNNING, id: 'm2', name: 'pc-2', hypervisorUp: false }],
    ['pc-3', { ...RUNNING, id: 'm3', name: 'pc-3' }],
  ])
  const of = (...machines: string[]) =>
    nextStep(
      machines.map((machine) => ({ protocol: 'spice' as const, machine })),
      (name) => facts.get(name) ?? null,
    )
  t.match(of('pc-1', 'pc-2', 'pc-3'), { do: 'show', machine: { id: 'm3' } })
  t.match(of('pc-1', 'pc-2'), { do: 'wait', state: 'maintenance', machine: { id: 'm1' } })
  t.match(of('pc-2', 'pc-1'), { do: 'wait', state: 'waiting', machine: { id: 'm2' } })
  t.match(of('gone', 'pc-3'), { do: 'show', machine: { id: 'm3' } })
  t.match(of('gone'), { do: 'wait', state: 'unknown', sentence: /gone does not exist any more/ })
  t.match(
    nextStep([HORIZON, SPICE], () => RUNNING),
    { do: 'show', target: HORIZON, machine: null },
  )
  t.match(
    nextStep([], () => null),
    {
      do: 'wait',
      state: 'unknown',
      sentence: 'No desktop is configured for this device. Ask the administrator.',
      machine: null,
    },
  )
})

t.test('an answer has one mark for as long as the screen would show the same', async (t) => {
  t.equal(markOf('waiting', 'a'), markOf('waiting', 'a'))
  t.equal(
    new Set([markOf('waiting', 'a'), markOf('waiting', 'b'), markOf('starting', 'a')]).size,
    3,
  )
  t.match(markOf('waiting', 'a'), /^[\w-]{16}$/)
})

t.test('who waits for an administrator asks less often than who waits for a start', async (t) => {
  const times = (['ready', 'starting', 'waiting', 'maintenance', 'unknown'] as const).map(
    askAgainMs,
  )
  t.same(
    times,
    [...times].sort((a, b) => a - b),
  )
  t.equal(times[0], 0)
})
