import t from 'tap'
import { BERTH } from '../../../broker/audit/store.js'
import { refusal } from '../../../broker/errors/broker-error.js'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { Engine } from '../../support/simulated-engine.js'
import { until } from '../../support/until.js'
import { makeWorld } from '../jobs/scenarios.js'

const FOREIGN_UUID = '11111111-1111-4111-8111-111111111111'

/** A powered-off domain and a file that Berth does not know. */
function putForeign(host: SimulatedHost, name: string): void {
  host.domains.set(name, {
    uuid: FOREIGN_UUID,
    running: false,
    boots: 3,
    disk: `/srv/${name}.qcow2`,
    destroyOnReboot: false,
    ticket: null,
    xml: '<domain/>',
  })
}

async function engineOn(host: SimulatedHost): Promise<Engine> {
  const engine = await Engine.start({ hosts: [host] })
  await engine.addHypervisors()
  return engine
}

const create = async (engine: Engine, name: string, type: 'simple' | 'vdi' = 'simple') =>
  await engine.machines.create(
    { name, type, hypervisors: ['hv1'], ...(type === 'vdi' ? { parent: 'gold' } : {}) },
    BERTH,
  )

t.test('a foreign domain or disk is in the way of a new machine, and stays', async (t) => {
  for (const foreign of ['domain', 'disk', 'domain and disk']) {
    const host = new SimulatedHost('hv1')
    const engine = await engineOn(host)
    if (foreign.includes('domain')) putForeign(host, 'payroll')
    if (foreign.includes('disk')) host.images.set('payroll.qcow2', null)
    const before = { domains: [...host.domains], images: [...host.images] }
    const calls: string[] = []
    host.onCall = (call) => calls.push(call)
    const ended = await engine.ended((await create(engine, 'payroll')).job)
    t.match(ended, { state: 'failed', targets: [{ state: 'failed', message: /payroll/ }] }, foreign)
    t.same({ domains: [...host.domains], images: [...host.images] }, before, foreign)
    for (const call of ['image_create', 'define', 'domain_undefine', 'image_remove'])
      t.notOk(calls.includes(call), `${call} was not even tried`)
    t.same(await engine.machines.list(), [], 'nothing is left of the machine')
    await engine.remove()
  }
})

t.test('an undo takes back what the job has made, and nothing else', async (t) => {
  const host = new SimulatedHost('hv1')
  const engine = await engineOn(host)
  host.onCall = (call) => {
    if (call !== 'define') return
    putForeign(host, 'pc') // between the look and the definition somebody else was quicker
  }
  const ended = await engine.ended((await create(engine, 'pc')).job)
  t.match(ended, { state: 'failed' })
  t.equal(host.domains.get('pc')?.uuid, FOREIGN_UUID, 'the domain of somebody else stays')
  t.notOk(host.images.has('pc.qcow2'), 'its own disk is gone')
  t.same(await engine.leftovers.list('hv1'), [])
  await engine.remove()
})

t.test('a disk that was put in place of the own one stays', async (t) => {
  const host = new SimulatedHost('hv1')
  const engine = await engineOn(host)
  host.onCall = (call) => {
    if (call !== 'define') return
    host.marks.delete('images/pc.qcow2')
    throw refusal('simulated_refusal', { said: 'It was refused on order.' })
  }
  t.match(await engine.ended((await create(engine, 'pc')).job), { state: 'failed' })
  t.ok(host.images.has('pc.qcow2'))
  t.same(await engine.leftovers.list('hv1'), [], 'it is not asked for again')
  const { rows } = { rows: await engine.store.selectFrom('event').select('action').execute() }
  t.ok(
    rows.some(({ action }) => action === 'hypervisor.leftover-kept'),
    'the audit log says so',
  )
  await engine.remove()
})

t.test('an undo that cannot reach its host is done when that is back', async (t) => {
  const host = new SimulatedHost('hv1')
  const engine = await engineOn(host)
  host.onAnswer = (call) => {
    if (call !== 'define') return
    host.link?.setUp(false)
    throw refusal('simulated_refusal', { said: 'It was refused on order.' })
  }
  t.match(await engine.ended((await create(engine, 'pc')).job), { state: 'failed' })
  host.onAnswer = () => {}
  t.ok(host.domains.has('pc') && host.images.has('pc.qcow2'), 'both are still there')
  t.match(await engine.leftovers.show('hv1'), [
    { kind: 'domain', name: 'pc' },
    { kind: 'image', name: 'pc.qcow2' },
  ])
  putForeign(host, 'else')
  host.link?.setUp(true)
  await until(async () => (await engine.leftovers.list('hv1')).length === 0, {
    withinMs: 5_000,
    what: 'what was left is removed',
  })
  t.same([...host.domains.keys()], ['else'])
  t.same([...host.images.keys()], [])
  await engine.remove()
})

t.test('a machine that is deleted by force while its host is away leaves nothing', async (t) => {
  const host = new SimulatedHost('hv1')
  const engine = await engineOn(host)
  await engine.succeeded((await create(engine, 'pc')).job)
  const domain = host.domains.get('pc')
  if (domain) domain.running = true
  host.link?.setUp(false)
  const job = await engine.machines.remove('pc', true, BERTH)
  t.match(await engine.ended(job), {
    state: 'succeeded',
    targets: [{ message: /removed when it is back/ }],
  })
  t.equal((await engine.leftovers.list('hv1')).length, 2)
  host.link?.setUp(true)
  await until(() => host.domains.size === 0 && host.images.size === 0, {
    withinMs: 5_000,
    what: 'domain and disk are removed',
  })
  await engine.remove()
})

t.test(
  'a foreign domain that took the name meanwhile keeps it when the machine is deleted',
  async (t) => {
    const host = new SimulatedHost('hv1')
    const engine = await engineOn(host)
    await engine.succeeded((await create(engine, 'pc')).job)
    host.domains.delete('pc')
    putForeign(host, 'pc')
    host.marks.delete('images/pc.qcow2')
    await engine.observer.lookNow('hv1')
    const power = async (action: 'start' | 'poweroff' | 'reset') =>
      await engine.ended(await engine.machines.power('pc', { action }, BERTH))
    t.match(await power('start'), { state: 'failed' })
    t.match((await power('reset')).state, 'failed')
    t.notOk(host.domains.get('pc')?.running)
    t.match(await engine.ended(await engine.machines.remove('pc', false, BERTH)), {
      state: 'succeeded',
      targets: [{ message: /not made by Berth/ }],
    })
    t.equal(host.domains.get('pc')?.uuid, FOREIGN_UUID)
    t.ok(host.images.has('pc.qcow2'))
    await engine.remove()
  },
)

t.test('a foreign image or overlay is in the way of a copy and of a populate', async (t) => {
  const hosts = [new SimulatedHost('hv1'), new SimulatedHost('hv2')]
  const engine = await makeWorld(hosts)
  const [hv1, hv2] = hosts
  if (!hv1 || !hv2) throw new Error('two hosts were made')
  hv2.images.set('gold.g2.qcow2', null)
  const copied = await engine.ended(await engine.images.copy('gold', undefined, BERTH))
  t.match(copied, { state: 'failed', message: /hv2.*gold\.g2/ })
  t.notOk(hv1.images.has('gold.g2.qcow2'), 'nothing was written')
  t.ok(hv2.images.has('gold.g2.qcow2'), 'nothing was removed')
  t.match((await engine.images.generations('gold')).length, 1)

  hv1.overlays.set('pc-1.qcow2', 'somebody.qcow2')
  hv1.marks.delete('overlays/pc-1.qcow2')
  const populated = await engine.ended(await engine.images.populate('gold', {}, BERTH))
  t.same(
    populated.targets.map(({ name, state }) => [name, state]),
    [
      ['pc-1', 'failed'],
      ['pc-2', 'done'],
      ['pc-3', 'done'],
    ],
  )
  t.equal(hv1.overlays.get('pc-1.qcow2'), 'somebody.qcow2')
  await engine.remove()
})

t.test('the files of an older Berth are marked when they are proven to be its own', async (t) => {
  const hosts = [new SimulatedHost('hv1'), new SimulatedHost('hv2')]
  const engine = await makeWorld(hosts)
  const [hv1] = hosts
  for (const host of hosts) host.marks.clear()
  await engine.store.updateTable('machine').set({ unmarked: 1 }).execute()
  await engine.store.updateTable('generation_copy').set({ unmarked: 1 }).execute()
  hv1?.overlays.set('pc-1.qcow2', 'somebody.qcow2')
  const populated = await engine.ended(await engine.images.populate('gold', {}, BERTH))
  t.match(populated.targets, [{ state: 'failed' }, { state: 'done' }, { state: 'done' }])
  t.equal(hv1?.overlays.get('pc-1.qcow2'), 'somebody.qcow2', 'what stands on something else is not')
  hv1?.overlays.delete('pc-1.qcow2')
  await engine.succeeded(await engine.machines.remove('gold', true, BERTH))
  await engine.succeeded(await engine.machines.remove('src', true, BERTH))
  for (const host of hosts) t.same([[...host.images.keys()], [...host.overlays.keys()]], [[], []])
  await engine.remove()
})
