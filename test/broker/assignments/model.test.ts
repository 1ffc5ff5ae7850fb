/**
 * A seeded random walk. BERTH_SEEDS=N walks N times (default 5); a failure prints its seed and
 * path, which BERTH_SEED=… and BERTH_PATH=… repeat.
 */
import fc from 'fast-check'
import t from 'tap'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { ACT } from './acts.js'
import { MINUTE_MS } from './pool-memory.js'
import { PoolWorld } from './pool-world.js'

t.setTimeout(1_800_000)

const WALKS = Number(process.env['BERTH_SEEDS'] ?? 5)

for (const cleaning of ['stop', 'rebuild', 'keep'] as const) {
  t.test(
    `whatever happens, nobody loses, shares or inherits a desktop (${cleaning})`,
    async (t) => {
      const replay = {
        ...(process.env['BERTH_SEED'] === undefined
          ? {}
          : { seed: Number(process.env['BERTH_SEED']) }),
        ...(process.env['BERTH_PATH'] === undefined ? {} : { path: process.env['BERTH_PATH'] }),
      }
      const outcome = await fc.check(
        fc.asyncProperty(fc.array(ACT, { minLength: 10, maxLength: 30 }), async (acts) => {
          const world = await PoolWorld.begin(
            [new SimulatedHost('hv1'), new SimulatedHost('hv2')],
            {
              retention: 'PT10M',
              onRelease: cleaning,
              onExpiry: cleaning,
              disconnectGrace: 'PT1M',
              maxPerUser: 2,
            },
          )
          try {
            for (const act of acts) {
              await world.act(act)
              if (world.faults.length > 0)
                throw new Error(
                  `after ${JSON.stringify(act)}: ${world.faults.join('; ')}\n${world.story.join('\n')}`,
                )
            }
            await world.settle()
            if (world.faults.length > 0)
              throw new Error(`in the end: ${world.faults.join('; ')}\n${world.story.join('\n')}`)
          } finally {
            await world.end()
          }
        }),
        { numRuns: WALKS, endOnFailure: true, ...replay },
      )
      t.notOk(
        outcome.failed,
        outcome.failed
          ? `${fc.defaultReportMessage(outcome) ?? ''} ${String(outcome.errorInstance)}`
          : `${WALKS} walks`,
      )
    },
  )
}

t.test('the model sees a desktop that is handed on unclean', async (t) => {
  const world = await PoolWorld.begin(
    [new SimulatedHost('hv1'), new SimulatedHost('hv2')],
    { retention: 'PT10M', onRelease: 'stop', onExpiry: 'stop' },
    1,
  )
  t.teardown(async () => {
    await world.end()
  })
  await world.act({ do: 'claim', user: 'ann' })
  await world.act({ do: 'connect', user: 'ann' })
  await world.forgetCleaning('ann')
  await world.act({ do: 'claim', user: 'bob' })
  t.match(world.faults.join(), /bob .* ann/)
})

t.test(
  'the model sees who is served before his turn, and who is served and may not be',
  async (t) => {
    const world = await PoolWorld.begin(
      [new SimulatedHost('hv1'), new SimulatedHost('hv2')],
      { retention: 'PT10M', onRelease: 'stop', onExpiry: 'stop' },
      2,
    )
    t.teardown(async () => {
      await world.end()
    })
    for (const user of ['ann', 'bob'] as const) await world.act({ do: 'claim', user })
    for (const user of ['cem', 'dag'] as const) await world.act({ do: 'queue', user })
    await world.act({ do: 'forbid', user: 'eve' })
    await world.act({ do: 'release', user: 'ann' })
    t.same(
      [await world.has('cem'), await world.has('dag'), world.faults],
      [true, false, []],
      'the first one in the queue',
    )
    await world.swap('bob', 'eve')
    await world.act({ do: 'give up', user: 'bob' })
    t.match(
      world.faults.join(),
      /eve was given a desktop and may not have one.*eve was given a desktop before dag/,
    )
  },
)

t.test('time while broker or host is away, or which a clock invents, does not count', async (t) => {
  const world = await PoolWorld.begin(
    [new SimulatedHost('hv1'), new SimulatedHost('hv2')],
    { retention: 'PT10M', onRelease: 'stop', onExpiry: 'stop', disconnectGrace: 'PT0S' },
    1,
  )
  t.teardown(async () => {
    await world.end()
  })
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
  await world.act({ do: 'reconnect', host })
  t.ok(await world.has('ann'), 'the host was away')
  // A host that is back is looked at first, and then watched for the grace time.
  await world.act({ do: 'wait', minutes: 4 })
  t.notOk(await world.has('ann'), 'ten fair minutes after they left')
  t.equal(MINUTE_MS, 60_000)
})
