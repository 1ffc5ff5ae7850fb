import t from 'tap'
import { type Look, Occupancy } from '../../../broker/occupancy/occupancy.js'

const MAX_AGE_MS = 120_000
const GRACE_MS = 60_000
const HANGS = { fault: 'QEMU of pc-2 did not answer within 2000 ms.' }

class Clock {
  nowMs = 1_000
  readonly occupancy = new Occupancy({ monotonicMs: () => this.nowMs, maxAgeMs: MAX_AGE_MS })

  look(looks: Record<string, Look>, hypervisor = 'hv1', atMs = this.nowMs): string[] {
    return this.occupancy.noteLook(hypervisor, new Map(Object.entries(looks)), atMs)
  }
}

t.test('what was never looked at, is too old, or failed is not known', async (t) => {
  const clock = new Clock()
  const { occupancy } = clock
  t.match(occupancy.use('pc-1'), { viewers: [], unknown: /not been looked at yet/ })
  t.match(occupancy.observation('hv1'), { current: false, ageMs: null, reason: '' })
  t.same(clock.look({ 'pc-1': { viewers: [] }, 'pc-2': HANGS }), ['pc-1', 'pc-2'])
  t.equal(occupancy.unknown('pc-1'), null)
  t.equal(occupancy.unknown('pc-2'), HANGS.fault)
  t.same(occupancy.faulty(), ['pc-2'])
  clock.nowMs += MAX_AGE_MS
  t.equal(occupancy.unknown('pc-1'), null)
  clock.nowMs += 1
  t.match(occupancy.unknown('pc-1'), /last looked at 120 s ago/)
  t.match(occupancy.observation('hv1'), { current: false, reason: 'Last seen 120 s ago.' })
  occupancy.noteFault('hv1', 'libvirt did not answer.')
  t.match(occupancy.observation('hv1'), { reason: 'Last seen 120 s ago: libvirt did not answer.' })
})

t.test('who was connected counts as connected while it is not known', async (t) => {
  const clock = new Clock()
  clock.look({ 'pc-1': { viewers: ['10.0.0.9'] } })
  t.same(clock.look({ 'pc-1': HANGS }), ['pc-1'], 'that it is not known is news')
  t.same(clock.look({ 'pc-1': HANGS }), [], 'once')
  t.match(clock.occupancy.use('pc-1'), { viewers: ['10.0.0.9'], unknown: HANGS.fault })
  t.same(clock.look({ 'pc-1': { viewers: [] } }), ['pc-1'])
  t.same(clock.occupancy.use('pc-1'), { viewers: [], unknown: null })
})

t.test('settled is what has been known for the grace time without a break', async (t) => {
  const clock = new Clock()
  const { occupancy } = clock
  const both = { 'pc-1': { viewers: [] }, 'pc-2': { viewers: [] } }
  const settled = (): boolean[] => [
    occupancy.isHostSettled('hv1', GRACE_MS),
    occupancy.isSettled('pc-1', GRACE_MS),
    occupancy.isSettled('pc-2', GRACE_MS),
  ]
  clock.look(both)
  t.same(settled(), [false, false, false])
  clock.nowMs += GRACE_MS
  t.same(settled(), [true, true, true])
  clock.look({ ...both, 'pc-2': HANGS })
  t.same(settled(), [true, true, false], 'one that hangs costs the others nothing')
  clock.look(both)
  t.same(settled(), [true, true, false], 'its grace time begins again')
  clock.nowMs += GRACE_MS
  t.same(settled(), [true, true, true])
  clock.nowMs += MAX_AGE_MS + 1
  t.same(settled(), [false, false, false], 'all of it is old')
  clock.look(both)
  t.same(settled(), [false, false, false], 'after a gap it begins again')
  clock.nowMs += GRACE_MS
  t.same(settled(), [true, true, true])
  occupancy.noteAway('hv1')
  clock.look(both)
  t.same(settled(), [false, false, false], 'after a lost line too')
})

t.test(
  'a look that was overtaken says nothing; machines that are gone are forgotten',
  async (t) => {
    const clock = new Clock()
    clock.nowMs = 5_000
    clock.look({ 'pc-1': { viewers: ['10.0.0.9'] }, 'pc-2': HANGS })
    t.same(clock.look({ 'pc-1': { viewers: [] } }, 'hv1', 4_000), [])
    t.same(clock.occupancy.viewers('pc-1'), ['10.0.0.9'])
    clock.look({ 'pc-1': { viewers: [] } })
    t.same(clock.occupancy.faulty(), [])
    t.match(clock.occupancy.unknown('pc-2'), /not been looked at/)
  },
)

t.test('what the broker carries counts beside what QEMU says', async (t) => {
  const clock = new Clock()
  const { occupancy } = clock
  clock.look({ 'pc-1': { viewers: ['10.0.0.9'] } })
  t.equal(occupancy.noteCarried('pc-1', { screens: ['10.0.0.8'], forwards: ['10.0.0.7'] }), true)
  t.equal(occupancy.noteCarried('pc-1', { screens: ['10.0.0.8'], forwards: ['10.0.0.7'] }), false)
  t.same(occupancy.atDisplay('pc-1'), ['10.0.0.9'])
  t.same(occupancy.atScreen('pc-1'), ['10.0.0.9', '10.0.0.8'])
  t.same(occupancy.viewers('pc-1'), ['10.0.0.9', '10.0.0.8', '10.0.0.7'])
  occupancy.noteCarried('pc-1', { screens: [], forwards: [] })
  t.same(occupancy.viewers('pc-1'), ['10.0.0.9'])
})

t.test('who only looks at a screen is known, and does not use the machine', async (t) => {
  const { occupancy } = new Clock()
  t.equal(occupancy.noteWatchers('pc-1', ['ann']), true)
  t.equal(occupancy.noteWatchers('pc-1', ['ann']), false)
  t.same(occupancy.watchers('pc-1'), ['ann'])
  t.same(occupancy.viewers('pc-1'), [])
  t.equal(occupancy.noteWatchers('pc-1', []), true)
  t.same(occupancy.watchers('pc-1'), [])
})
