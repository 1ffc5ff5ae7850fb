import { existsSync } from 'node:fs'
import t from 'tap'
import type { CommandResult } from '../../fleet/command.js'
import { BerthOnFleet, IMAGES, SMALL } from '../../support/berth-on-fleet.js'
import { until } from '../../support/until.js'

/* Who may do what with the images on a real hypervisor, while a machine runs on them. */

t.setTimeout(600_000)
const berth = await BerthOnFleet.start({ hosts: 1, name: 'rights' })
t.teardown(async () => {
  await berth.stop()
})
const hv1 = berth.host(1)
const BASE = `${IMAGES}/base.g1.qcow2`
const FOLDERS = ['images', 'overlays', 'transient'].map((name) => `/var/lib/berth/${name}`)

/** As an account of the host that has nothing to do with Berth. */
const asStranger = async (...argv: string[]): Promise<CommandResult> =>
  await hv1.run(['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', ...argv])
/** As a QEMU does whose guest has broken out of it. */
const asQemu = async (...argv: string[]): Promise<CommandResult> =>
  await hv1.run(['setpriv', '--reuid=libvirt-qemu', '--regid=kvm', '--init-groups', ...argv])
const rightsOf = async (path: string): Promise<string> =>
  (await hv1.mustRun(['stat', '-c', '%a %U:%G', path])).trim()
const checksum = async (): Promise<string> => await hv1.mustRun(['sha256sum', BASE])

await berth.makeSource('golden', 'one')
await berth.create({
  name: 'base',
  type: 'initial',
  parent: 'golden',
  hypervisors: ['hv1'],
  ...SMALL,
})
await berth.copy('base')
await berth.create({ name: 'pc', type: 'vdi', parent: 'base', hypervisors: ['hv1'], ...SMALL })
await berth.populate('base')
const copied = await checksum()
await berth.power('pc', 'start')
await berth.screenOf('pc', { name: 'pc', generation: 'one' })

t.test('a stranger on the host neither lists nor reads images', async (t) => {
  for (const folder of FOLDERS) {
    t.equal(await rightsOf(folder), '710 root:libvirt-qemu')
    t.match(await asStranger('ls', folder), { code: 2, stderr: /Permission denied/ })
  }
  for (const path of [BASE, '/var/lib/berth/overlays/pc.qcow2', `${IMAGES}/golden.qcow2`])
    t.match(await asStranger('head', '-c', '1', path), { code: 1, stderr: /Permission denied/ })
  t.match(await asStranger('ls', '/var/lib/berth/import'), { stderr: /Permission denied/ })
})

t.test(
  'a QEMU reads the generation that its machine stands on, and cannot change it',
  async (t) => {
    t.equal(await rightsOf(BASE), '440 root:libvirt-qemu', 'libvirt has not given it to QEMU')
    t.match(await asQemu('head', '-c', '4', BASE), { code: 0, stdout: /^QFI/ })
    for (const words of [
      ['chmod', 'u+w', BASE],
      ['dd', 'if=/dev/zero', `of=${BASE}`, 'count=1', 'conv=notrunc'],
      ['rm', '-f', BASE],
      ['ln', BASE, '/var/tmp/stolen'],
    ])
      t.not((await asQemu(...words)).code, 0, words.join(' '))
    t.equal(await checksum(), copied)
  },
)

t.test('what an older Berth left open is closed when the broker connects again', async (t) => {
  await hv1.mustRun([
    'bash',
    '-ec',
    `chattr -i ${BASE}; chown libvirt-qemu:kvm ${BASE}; chmod 444 ${BASE}
    chown root:root ${FOLDERS.join(' ')}; chmod 711 ${FOLDERS.join(' ')}
    chgrp kvm ${IMAGES}; chmod 710 ${IMAGES}`,
  ])
  await hv1.restart('sshd')
  for (const [path, rights] of [
    ...FOLDERS.map((folder) => [folder, '710 root:libvirt-qemu'] as const),
    [BASE, '440 root:libvirt-qemu'] as const,
  ])
    await until(async () => (await rightsOf(path)) === rights, {
      withinMs: 40_000,
      what: `${path} is ${rights}`,
    })
  t.not((await asQemu('chmod', 'u+w', BASE)).code, 0)
  await berth.untilHypervisor('hv1', 'up')
  await berth.power('pc', 'poweroff')
  await berth.power('pc', 'start')
  t.match(await berth.screenOf('pc', { name: 'pc' }), { generation: 'one' })
  t.equal(await rightsOf(BASE), '440 root:libvirt-qemu')
})

t.test('a generation that nobody needs any more is removed', async (t) => {
  await berth.power('pc', 'poweroff')
  await berth.writeGeneration('golden', 'two')
  await berth.copy('base')
  await berth.populate('base')
  await until(() => !existsSync(hv1.path(BASE)), { withinMs: 60_000, what: `${BASE} is gone` })
  t.ok(existsSync(hv1.path(`${IMAGES}/base.g2.qcow2`)))
})
