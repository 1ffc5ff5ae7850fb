import t from 'tap'
import { BERTH } from '../../../broker/audit/store.js'
import { refusal } from '../../../broker/errors/broker-error.js'
import { parseDomain, parseDomainXml } from '../../../broker/hypervisors/domain-reading.js'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { freeMac } from '../../../broker/machines/macs.js'
import { Engine } from '../../support/simulated-engine.js'
import { CORPUS, differences } from '../hypervisors/domain-corpus.js'

async function officeOf(
  ...names: string[]
): Promise<{ engine: Engine; host: SimulatedHost; xml: (name: string) => string }> {
  const host = new SimulatedHost('hv1')
  for (const name of names) put(host, CORPUS.get(name) ?? '')
  const engine = await Engine.start({ hosts: [host] })
  await engine.addHypervisors()
  return { engine, host, xml: (name) => host.domains.get(name)?.xml ?? '' }
}

function put(host: SimulatedHost, xml: string): void {
  const { name, uuid, disk, destroyOnReboot } = parseDomainXml(xml)
  host.domains.set(name, {
    uuid,
    running: false,
    boots: 0,
    disk,
    destroyOnReboot,
    ticket: null,
    xml,
  })
}

t.test('an adopted domain keeps what nobody asked to change', async (t) => {
  const { engine, xml } = await officeOf('windows-sata')
  const before = xml('win10')
  const { notes } = await engine.machines.adopt({ hypervisor: 'hv1', name: 'win10' }, BERTH)
  t.match(notes.join(' '), /2 network cards/)
  t.equal(xml('win10'), before, 'adopting changes nothing')
  const { job } = await engine.machines.change('win10', { memoryMib: 6000 }, BERTH)
  t.match(await engine.ended(job), { state: 'succeeded' })
  const paths = differences(parseDomain(before), parseDomain(xml('win10')))
  t.same(
    paths.filter((path) => !/\/(memory|currentMemory)\[1\]/.test(path)),
    [],
  )
  t.equal(parseDomainXml(xml('win10')).memoryMib, 6000)
  await engine.remove()
})

t.test('what somebody changed on the host meanwhile stays', async (t) => {
  const { engine, host, xml } = await officeOf('windows-sata')
  await engine.machines.adopt({ hypervisor: 'hv1', name: 'win10' }, BERTH)
  put(host, xml('win10').replace('<memballoon', "<watchdog model='itco'/><memballoon"))
  const { job } = await engine.machines.change('win10', { vcpus: 8 }, BERTH)
  await engine.ended(job)
  t.match(xml('win10'), /<watchdog model="itco"\/>/)
  await engine.remove()
})

t.test(
  'what cannot be changed safely is refused, and the database says what it said',
  async (t) => {
    const { engine, host, xml } = await officeOf('windows-sata')
    await engine.machines.adopt({ hypervisor: 'hv1', name: 'win10' }, BERTH)
    const before = xml('win10')
    await t.rejects(engine.machines.change('win10', { vcpus: 3 }, BERTH), {
      code: 'invalid_request',
    })
    await t.rejects(engine.machines.change('win10', { network: 'none' }, BERTH), {
      code: 'invalid_request',
    })
    host.onCall = (call) => {
      if (call === 'define')
        throw refusal('simulated_refusal', { said: 'unsupported configuration' })
    }
    const { job } = await engine.machines.change('win10', { memoryMib: 5000 }, BERTH)
    t.match(await engine.ended(job), { state: 'failed' })
    t.match(await engine.machines.show('win10'), { memoryMib: 4096, vcpus: 4 })
    t.equal(xml('win10'), before)
    await engine.remove()
  },
)

t.test('a domain without a file is adopted for its power and console', async (t) => {
  const { engine, xml } = await officeOf('linux-rbd')
  await t.rejects(
    engine.machines.adopt({ hypervisor: 'hv1', name: 'rbd-guest', type: 'source' }, BERTH),
    { code: 'wrong_type' },
  )
  const before = xml('rbd-guest')
  const { notes } = await engine.machines.adopt({ hypervisor: 'hv1', name: 'rbd-guest' }, BERTH)
  t.match(notes[0], /rbd:pool\/rbd-guest.*power and console only/)
  t.equal(parseDomainXml(before).diskSource?.kind, 'other')
  await t.rejects(engine.machines.change('rbd-guest', { type: 'source' }, BERTH), {
    code: 'wrong_type',
  })
  const { job } = await engine.machines.change('rbd-guest', { memoryMib: 2048 }, BERTH)
  t.match(await engine.ended(job), { state: 'succeeded' })
  t.same(
    differences(parseDomain(before), parseDomain(xml('rbd-guest'))).filter(
      (path) => !path.includes('/memory[1]'),
    ),
    [],
  )
  await engine.remove()
})

t.test('one XML for several machines, at once or one after the other', async (t) => {
  const { engine, xml } = await officeOf()
  const wish = {
    type: 'simple' as const,
    hypervisors: ['hv1'],
    domainXml: CORPUS.get('golden') ?? '',
  }
  const { job } = await engine.machines.create({ ...wish, name: 'pc-{n}', count: 2 }, BERTH)
  t.match(await engine.ended(job), { state: 'succeeded' })
  for (const name of ['pc-1', 'pc-2']) {
    t.notMatch(xml(name), 'golden.img')
    t.match(await engine.machines.show(name), { memoryMib: 3072, vcpus: 3, network: 'direct:eth0' })
  }
  const shared = { ...wish, domainXml: CORPUS.get('windows-11') ?? '' }
  await t.rejects(engine.machines.create({ ...shared, name: 'w-{n}', count: 2 }, BERTH), {
    code: 'invalid_request',
    message: /vdb.*host device/,
  })
  const { job: alone } = await engine.machines.create({ ...shared, name: 'w-1' }, BERTH)
  t.match(await engine.ended(alone), { state: 'succeeded' })
  await t.rejects(engine.machines.create({ ...shared, name: 'w-2' }, BERTH), {
    code: 'invalid_request',
  })
  t.same((await engine.machines.list()).map(({ name }) => name).sort(), ['pc-1', 'pc-2', 'w-1'])
  await engine.remove()
})

t.test('a MAC is drawn until it is free, and a twin is not adopted', async (t) => {
  const { engine, host } = await officeOf('windows-sata')
  await engine.machines.adopt({ hypervisor: 'hv1', name: 'win10' }, BERTH)
  const draws = ['52:54:00:1A:2B:02', '52:54:00:1a:2b:01', '52:54:00:00:00:07']
  const drawn = await freeMac(engine.store, () => draws.shift() ?? '')
  t.equal(drawn, '52:54:00:00:00:07', 'also the second card of an adopted domain is taken')
  put(host, (CORPUS.get('linux-virtio') ?? '').replace('52:54:00:1a:2b:04', '52:54:00:1A:2B:02'))
  await t.rejects(engine.machines.adopt({ hypervisor: 'hv1', name: 'debian12' }, BERTH), {
    code: 'mac_taken',
    message: /win10/,
  })
  t.same((await engine.machines.list()).length, 1)
  await engine.remove()
})
