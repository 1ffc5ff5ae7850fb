import { existsSync, readdirSync } from 'node:fs'
import t from 'tap'
import type { GenerationList } from '../../../broker/api/images.js'
import type { MachineList } from '../../../broker/api/machines.js'
import { BerthOnFleet, IMAGES, OVERLAYS, SMALL } from '../../support/berth-on-fleet.js'
import { until } from '../../support/until.js'

t.setTimeout(900_000)
const berth = await BerthOnFleet.start({
  hosts: 2,
  name: 'main-job',
  settings: { 'release-after': 'PT2S' },
})
t.teardown(async () => {
  await berth.stop()
})
const [hv1, hv2] = [berth.host(1), berth.host(2)]

t.test(
  'source, initial and machines on two hosts; copy carries the generation to the other host',
  async (t) => {
    await berth.makeDesktops(4, ['hv1', 'hv2'])
    const copied = await berth.copy('base')
    t.equal(copied.state, 'succeeded')
    t.ok(existsSync(hv2.path(`${IMAGES}/base.g1.qcow2`)))
    t.equal(
      (await hv1.mustRun(['sha256sum', `${IMAGES}/base.g1.qcow2`])).split(' ')[0],
      (await hv2.mustRun(['sha256sum', `${IMAGES}/base.g1.qcow2`])).split(' ')[0],
    )
    const populated = await berth.populate('base')
    t.match(populated, { state: 'succeeded' })
    t.same(
      (await berth.api.get<MachineList>('/machines?parent=base')).machines.map(
        ({ name, hypervisor, generation, power }) => [name, hypervisor, generation, power],
      ),
      [
        ['pc-1', 'hv1', 'g1', 'off'],
        ['pc-2', 'hv2', 'g1', 'off'],
        ['pc-3', 'hv1', 'g1', 'off'],
        ['pc-4', 'hv2', 'g1', 'off'],
      ],
    )
    t.match(
      await hv1.mustRun(['qemu-img', 'info', `${OVERLAYS}/pc-1.qcow2`]),
      /backing file: \/var\/lib\/berth\/images\/base\.g1\.qcow2[\s\S]*backing file format: qcow2/,
    )
  },
)

t.test('a machine boots from its overlay and knows its name and generation', async (t) => {
  t.match(await berth.power('pc-1', 'start'), { state: 'succeeded' })
  t.match(await berth.screenOf('pc-1', { name: 'pc-1' }), { generation: 'one', boots: 1 })
})

t.test(
  'without a virtual snapshot what was written in the guest stays; with it, it is gone at power-off',
  async (t) => {
    await berth.inGuest('pc-1', hv1, '/bin/busybox', ['sh', '-c', 'echo kept > /var/proof; sync'])
    await berth.power('pc-1', 'poweroff')
    await berth.untilPower('pc-1', 'off')
    const { job } = await berth.api.put<{ job: string }>('/machines/pc-1/discard-changes', {
      on: true,
    })
    await berth.api.succeeded(job)
    await berth.power('pc-1', 'start')
    await berth.screenOf('pc-1', { boots: 2 })
    t.equal(await berth.inGuest('pc-1', hv1, '/bin/busybox', ['cat', '/var/proof']), 'kept\n')
    t.ok(
      readdirSync(hv1.path('/var/lib/berth/transient')).some((name) =>
        name.includes('.TRANSIENT-pc-1'),
      ),
      'the throw-away layer lies in its own directory',
    )
    await berth.inGuest('pc-1', hv1, '/bin/busybox', ['sh', '-c', 'echo lost > /var/proof; sync'])
    await berth.power('pc-1', 'poweroff')
    await berth.untilPower('pc-1', 'off')
    t.notOk(
      readdirSync(hv1.path('/var/lib/berth/transient')).some((name) =>
        name.includes('.TRANSIENT-pc-1'),
      ),
      'the layer went with the power',
    )
    await berth.power('pc-1', 'start')
    await berth.screenOf('pc-1', { boots: 2 })
    t.equal(await berth.inGuest('pc-1', hv1, '/bin/busybox', ['cat', '/var/proof']), 'kept\n')
  },
)

t.test(
  'with on_reboot=destroy a reset throws the changes away, and the machine is started again',
  async (t) => {
    const { job } = await berth.api.put<{ job: string }>('/machines/pc-1/discard-changes', {
      on: true,
      onReboot: true,
    })
    await berth.api.succeeded(job)
    await berth.power('pc-1', 'poweroff')
    await berth.power('pc-1', 'start')
    await berth.screenOf('pc-1', { boots: 2 })
    await berth.inGuest('pc-1', hv1, '/bin/busybox', ['sh', '-c', 'echo lost > /var/proof; sync'])
    const reset = await berth.power('pc-1', 'reset')
    t.match(reset, { state: 'succeeded' }, reset.targets[0]?.message ?? '')
    await berth.untilPower('pc-1', 'running')
    await berth.screenOf('pc-1', { boots: 2 })
    t.equal(await berth.inGuest('pc-1', hv1, '/bin/busybox', ['cat', '/var/proof']), 'kept\n')
  },
)

t.test('a guest that reboots by itself comes back too', async (t) => {
  await berth.inGuest('pc-1', hv1, '/bin/busybox', ['sh', '-c', 'echo lost > /var/proof; sync'])
  const before = (await berth.machine('pc-1')).powerSince
  await hv1.mustRun(['virsh', 'send-key', 'pc-1', 'KEY_LEFTCTRL', 'KEY_LEFTALT', 'KEY_DELETE'])
  await until(
    async () => {
      const machine = await berth.machine('pc-1')
      return machine.power === 'running' && machine.powerSince !== before
    },
    { withinMs: 30_000, what: 'pc-1 went off and is running again' },
  )
  await berth.screenOf('pc-1', { boots: 2 })
  t.equal(await berth.inGuest('pc-1', hv1, '/bin/busybox', ['cat', '/var/proof']), 'kept\n')
})

t.test(
  'shutdown asks the guest; a guest that does not listen loses its power after the stated time',
  async (t) => {
    t.match(await berth.power('pc-1', 'shutdown', { timeoutMs: 20_000 }), {
      state: 'succeeded',
      targets: [{ message: '' }],
    })
    await berth.untilPower('pc-1', 'off')
    await berth.power('pc-3', 'start') // its BIOS does not listen to the button yet
    t.match(await berth.power('pc-3', 'shutdown', { timeoutMs: 0 }), {
      state: 'succeeded',
      targets: [{ message: /plug was pulled/ }],
    })
    await berth.untilPower('pc-3', 'off')
  },
)

t.test('a new generation, and back to the old one', async (t) => {
  await berth.writeGeneration('golden', 'two')
  t.match(await berth.copy('base'), { state: 'succeeded' })
  t.match(await berth.populate('base', { start: true }), { state: 'succeeded' })
  await berth.screenOf('pc-2', { generation: 'two' })
  t.match(
    (await berth.api.get<GenerationList>('/machines/base/generations')).generations.map(
      ({ name, current, machines }) => [name, current, machines],
    ),
    [['g2', true, 4]],
    'g1, unused, was collected',
  )
  t.notOk(existsSync(hv2.path(`${IMAGES}/base.g1.qcow2`)))
  await berth.writeGeneration('golden', 'three')
  await berth.copy('base')
  t.match(await berth.populate('base', { generation: 'g2' }), { state: 'succeeded' })
  t.equal((await berth.machine('pc-2')).generation, 'g2')
  await berth.power('base', 'poweroff', { children: true })
})

t.test('copy and populate refuse while the source or the initial runs', async (t) => {
  await berth.power('golden', 'start')
  await t.rejects(berth.copy('base'), { code: 'machine_running', status: 409 })
  await berth.power('golden', 'poweroff')
  await berth.power('base', 'start')
  await t.rejects(berth.populate('base'), { code: 'machine_running' })
  await berth.screenOf('base', { generation: 'three' })
  await berth.power('base', 'poweroff')
})

t.test(
  'a domain that exists is adopted, becomes a source, and keeps its domain when it is forgotten',
  async (t) => {
    await hv2.mustRun(['cp', `${IMAGES}/base.g3.qcow2`, `${IMAGES}/foreign.qcow2`])
    await hv2.mustRun([
      'bash',
      '-c',
      `cat > /tmp/foreign.xml <<'X'
<domain type='qemu'><name>foreign</name><memory unit='MiB'>128</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
<source file='${IMAGES}/foreign.qcow2'/><target dev='vda' bus='virtio'/></disk></devices></domain>
X
virsh define /tmp/foreign.xml`,
    ])
    t.match(await berth.api.get('/hypervisors/hv2/domains'), {
      domains: [{ name: 'foreign', power: 'off' }],
    })
    await berth.api.post('/machines/adopt', { hypervisor: 'hv2', name: 'foreign', type: 'source' })
    await berth.create({
      name: 'base2',
      type: 'initial',
      parent: 'foreign',
      hypervisors: ['hv1'],
      ...SMALL,
    })
    t.match(await berth.copy('base2'), { state: 'succeeded' })
    await berth.power('base2', 'start')
    await berth.screenOf('base2', { generation: 'three' })
    await berth.power('base2', 'poweroff')
    const { job } = await berth.api.delete<{ job: string }>('/machines/foreign?force=true')
    t.match(await berth.api.ended(job), { state: 'succeeded' })
    t.match(await hv2.mustRun(['virsh', 'list', '--all', '--name']), 'foreign')
  },
)

t.test('deleting names the dependants, and with force leaves nothing', async (t) => {
  await t.rejects(berth.api.delete('/machines/base'), {
    code: 'has_dependants',
    message: /pc-1, pc-2/,
  })
  const { job } = await berth.api.delete<{ job: string }>('/machines/base?force=true')
  t.match(await berth.api.ended(job), { state: 'succeeded' })
  for (const host of [hv1, hv2]) {
    t.notMatch(await host.mustRun(['virsh', 'list', '--all', '--name']), /pc-|base$/m)
    t.same(
      readdirSync(host.path(OVERLAYS)).filter((name) => name.startsWith('pc-')),
      [],
    )
    t.same(
      readdirSync(host.path(IMAGES)).filter((name) => name.startsWith('base.g')),
      [],
    )
  }
})
