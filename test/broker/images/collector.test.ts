import t, { type Test as T } from 'tap'
import { BERTH } from '../../../broker/audit/store.js'
import { refusal } from '../../../broker/errors/broker-error.js'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { Engine } from '../../support/simulated-engine.js'
import { until } from '../../support/until.js'
import { brokenRules } from '../jobs/invariants.js'
import { makeWorld } from '../jobs/scenarios.js'

interface World {
  readonly engine: Engine
  readonly hosts: readonly [SimulatedHost, SimulatedHost]
}

/** Everything stands on g1, and g2 is current. */
async function world(): Promise<World> {
  const hosts = [new SimulatedHost('hv1'), new SimulatedHost('hv2')] as const
  const engine = await makeWorld([...hosts])
  await engine.succeeded(await engine.images.copy('gold', undefined, BERTH))
  return { engine, hosts }
}

const populate = async ({ engine }: { engine: Engine }): Promise<void> => {
  await engine.succeeded(await engine.images.populate('gold', {}, BERTH))
}
const states = async ({ engine }: { engine: Engine }): Promise<string[]> =>
  (await engine.images.generations('gold')).map(({ name, state, hypervisors }) =>
    [name, state, ...hypervisors].join(' '),
  )
const files = ({ hosts }: World): string[][] =>
  hosts.map((host) => [...host.images.keys()].filter((name) => name.startsWith('gold')))

async function assertCollected(t: T, it: World, engine = it.engine): Promise<void> {
  t.same(await states({ engine }), ['g2 ready hv1 hv2'])
  t.same(files(it), [['gold.g2.qcow2'], ['gold.g2.qcow2']])
  t.same(await brokenRules(engine.store, it.hosts), [])
}

t.test('a generation is collected when the last machine has left it, and not before', async (t) => {
  const it = await world()
  t.same(await states(it), ['g2 ready hv1 hv2', 'g1 ready hv1 hv2'])
  await populate(it)
  await assertCollected(t, it)
  await it.engine.remove()
})

t.test('the job does not wait for it, nor fails with it; it is tried again', async (t) => {
  const it = await world()
  let refused = 0
  for (const host of it.hosts) {
    host.onCall = (call) => {
      if (call !== 'image_remove') return
      refused += 1
      throw refusal('simulated_refusal', { said: 'It was refused on order.' })
    }
  }
  await populate(it)
  t.ok(refused > 0)
  t.same(await states(it), ['g2 ready hv1 hv2', 'g1 collecting hv1 hv2'])
  for (const host of it.hosts) host.onCall = () => {}
  await it.engine.collect()
  await assertCollected(t, it)
  await it.engine.remove()
})

t.test('what lies on a host that is away is collected when it comes back', async (t) => {
  const it = await world()
  const [, hv2] = it.hosts
  await populate(it)
  await assertCollected(t, it)
  await it.engine.succeeded(await it.engine.images.copy('gold', undefined, BERTH))
  hv2.onCall = (call) => {
    if (call === 'image_remove') throw refusal('line_lost', { hypervisor: 'hv2' })
  }
  await populate(it)
  t.same(await states(it), ['g3 ready hv1 hv2', 'g2 collecting hv2'])
  hv2.onCall = () => {}
  hv2.link?.setUp(false)
  await it.engine.collect()
  t.ok(hv2.images.has('gold.g2.qcow2'), 'a host that is away is not asked')
  hv2.link?.setUp(true)
  await until(async () => (await states(it)).length === 1, {
    withinMs: 5_000,
    everyMs: 5,
    what: 'its coming back is enough',
  })
  t.same(files(it), [['gold.g3.qcow2'], ['gold.g3.qcow2']])
  await it.engine.remove()
})

t.test('a restart takes it up again', async (t) => {
  const it = await world()
  for (const host of it.hosts)
    host.onCall = (call) => {
      if (call === 'image_remove')
        throw refusal('simulated_refusal', { said: 'It was refused on order.' })
    }
  await populate(it)
  await it.engine.stop()
  for (const host of it.hosts) host.onCall = () => {}
  const next = await Engine.start({ hosts: it.hosts, directory: it.engine.directory })
  await until(async () => (await states({ engine: next })).length === 1, {
    withinMs: 5_000,
    everyMs: 5,
    what: 'the next broker has collected it',
  })
  await assertCollected(t, it, next)
  await next.remove()
})

t.test('a generation that is being collected is not given out any more', async (t) => {
  const it = await world()
  for (const host of it.hosts)
    host.onCall = (call) => {
      if (call === 'image_remove')
        throw refusal('simulated_refusal', { said: 'It was refused on order.' })
    }
  await populate(it)
  await t.rejects(it.engine.images.populate('gold', { generation: 'g1' }, BERTH), {
    code: 'no_generation',
    message: /gold has no generation g1/,
  })
  await it.engine.remove()
})

t.test('what interrupted copies left on a host is removed when it comes up', async (t) => {
  const it = await world()
  const [hv1] = it.hosts
  const swept = new Promise<void>((resolve) => {
    hv1.onAnswer = (call) => {
      if (call === 'parts_remove') resolve()
    }
  })
  hv1.link?.setUp(false)
  hv1.link?.setUp(true)
  await t.resolves(swept)
  await it.engine.remove()
})
