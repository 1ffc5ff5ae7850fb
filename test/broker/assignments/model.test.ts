/** A seeded random walk. BERTH_SEEDS=N walks N times (default 12); a failure prints its seed and path, which BERTH_SEED=… and BERTH_PATH=… repeat. */
import fc from 'fast-check'
import t from 'tap'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { type Act, MINUTE_MS, PoolWorld } from './pool-world.js'

t.setTimeout(900_000)

const WALKS = Number(process.env['BERTH_SEEDS'] ?? 12)
const user = fc.constantFrom('ann', 'bob', 'cem', 'dag', 'eve')
const host = fc.constantFrom('hv1', 'hv2')
const ACT: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const), user }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('connect' as const, 'disconnect' as const, 'release' as const, 'extend' as const), user }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), minutes: fc.constantFrom(1, 5, 9, 20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'mend' as const), host }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resize' as const), size: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), awayMinutes: fc.constantFrom(0, 3, 240) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clock step' as const), minutes: fc.constantFrom(-180, 180) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('start fails' as const, 'starts work' as const), host }) }
)

for (const cleaning of ['stop', 'rebuild', 'keep'] as const) {
  t.test(`whatever happens, nobody loses, shares or inherits a desktop (${cleaning})`, async (t) => {
    const replay = { ...(process.env['BERTH_SEED'] === undefined ? {} : { seed: Number(process.env['BERTH_SEED']) }), ...(process.env['BERTH_PATH'] === undefined ? {} : { path: process.env['BERTH_PATH'] }) }
    const outcome = await fc.check(fc.asyncProperty(fc.array(ACT, { minLength: 10, maxLength: 30 }), async (acts) => {
      const world = await PoolWorld.begin([new SimulatedHost('hv1'), new SimulatedHost('hv2')], { retention: 'PT10M', onRelease: cleaning, onExpiry: cleaning, disconnectGrace: 'PT1M', maxPerUser: 2 })
      try {
        for (const act of acts) {
          await world.act(act)
          if (world.faults.length > 0) throw new Error(`after ${JSON.stringify(act)}: ${world.faults.join('; ')}\n${world.story.join('\n')}`)
        }
        await world.settle()
        if (world.faults.length > 0) throw new Error(`in the end: ${world.faults.join('; ')}\n${world.story.join('\n')}`)
      } finally {
        await world.end()
      }
    }), { numRuns: WALKS, endOnFailure: true, ...replay })
    t.notOk(outcome.failed, outcome.failed ? `${fc.defaultReportMessage(outcome) ?? ''} ${String(outcome.errorInstance)}` : `${WALKS} walks`)
  })
}

t.test('the model sees a desktop that is handed on unclean', async (t) => {
  const world = await PoolWorld.begin([new SimulatedHost('hv1'), new SimulatedHost('hv2')], { retention: 'PT10M', onRelease: 'stop', onExpiry: 'stop' }, 1)
  t.teardown(async () => { await world.end() })
  await world.act({ do: 'claim', user: 'ann' })
  await world.act({ do: 'connect', user: 'ann' })
  await world.forgetCleaning('ann')
  await world.act({ do: 'claim', user: 'bob' })
  t.match(world.faults.join(), /bob .* ann/)
})

t.test('time while broker or host is away, or which a clock invents, does not count', async (t) => {
  const world = await PoolWorld.begin([new SimulatedHost('hv1'), new SimulatedHost('hv2')], { retention: 'PT10M', onRelease: 'stop', onExpiry: 'stop', disconnectGrace: 'PT0S' }, 1)
  t.teardown(async () => { await world.end() })
  await world.act({ do: 'claim', user: 'ann' })
  await world.act({ do: 'connect', user: 'ann' })
  await world.act({ do: 'wait', minutes: 600 })
  t.ok(await world.has('ann'), 'never while connected')
  await world.act({ do: 'disconnect', user: 'ann' })
  await world.act({ do: 'wait', minutes: 9 })
  await world.act({ do: 'restart', awayMinutes: 300 })
  t.ok(await world.has('ann'), 'the broker was away')
  await world.act({ do: 'clock step', minutes: 180 })
  t.ok(await world.has('ann'), 'the clock was set')
  const host = await world.hostOf('ann')
  await world.act({ do: 'cut', host })
  await world.act({ do: 'wait', minutes: 60 })
  await world.act({ do: 'mend', host })
  t.ok(await world.has('ann'), 'the host was away')
  await world.act({ do: 'wait', minutes: 3 })
  t.notOk(await world.has('ann'), 'ten fair minutes after he left')
  t.equal(MINUTE_MS, 60_000)
})
