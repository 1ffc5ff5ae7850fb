import t from 'tap'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { PoolWorld } from './pool-world.js'

// two hours before UTC in winter: the walk begins at 02:00 there
const POLICY = { retention: 'PT20H', timeZone: 'Europe/Vilnius' } as const

t.test(
  'the schedule shuts desktops down and starts them; who is connected is warned first, and may stay',
  async (t) => {
    const world = await PoolWorld.begin([new SimulatedHost('hv1')], {
      ...POLICY,
      schedule: [
        { cron: '0 3 * * *', do: 'stop', connected: 'warn' },
        { cron: '0 5 * * *', do: 'start' },
      ],
    })
    t.teardown(async () => {
      await world.end()
    })
    for (const user of ['ann', 'bob', 'cem']) await world.act({ do: 'claim', user })
    await world.act({ do: 'connect', user: 'ann' })
    await world.act({ do: 'connect', user: 'cem' })
    await world.act({ do: 'wait', minutes: 58 })
    t.equal(await world.powerOf('bob'), 'running')
    await world.act({ do: 'wait', minutes: 4 })
    t.equal(await world.powerOf('bob'), 'off', 'nobody was connected')
    t.equal(await world.powerOf('ann'), 'running')
    t.match(
      await world.warningOf('ann'),
      /shut down in \d+ minutes by the schedule: save your work, or extend it/,
    )
    await world.act({ do: 'extend', user: 'cem' })
    t.equal(await world.warningOf('cem'), '')
    await world.act({ do: 'wait', minutes: 12 })
    t.equal(await world.powerOf('ann'), 'off')
    t.equal(await world.powerOf('cem'), 'running', 'who asked for more time keeps it')
    t.ok((await world.has('ann')) && (await world.has('bob')), 'the desktops stay theirs')
    await world.act({ do: 'wait', minutes: 120 })
    t.equal(await world.powerOf('bob'), 'running')
    t.equal(await world.powerOf('ann'), 'running')
  },
)

t.test(
  'who is connected is spared unless the schedule says otherwise, and what a broker missed ' +
    'hours ago it does not do now',
  async (t) => {
    const world = await PoolWorld.begin(
      [new SimulatedHost('hv1')],
      { ...POLICY, schedule: [{ cron: '0 3 * * *', do: 'stop' }] },
      2,
    )
    t.teardown(async () => {
      await world.end()
    })
    await world.act({ do: 'claim', user: 'ann' })
    await world.act({ do: 'claim', user: 'bob' })
    await world.act({ do: 'connect', user: 'ann' })
    await world.act({ do: 'wait', minutes: 90 })
    t.equal(await world.powerOf('ann'), 'running')
    t.equal(await world.powerOf('bob'), 'off')
    await world.act({ do: 'claim', user: 'bob' })
    await world.act({ do: 'restart', awayMinutes: 24 * 60 + 60 })
    await world.act({ do: 'wait', minutes: 1 })
    t.equal(await world.powerOf('bob'), 'running')
  },
)
