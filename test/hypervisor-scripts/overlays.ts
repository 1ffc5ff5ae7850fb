import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { type Test } from 'tap'
import { type FleetHost } from '../fleet/fleet-host.js'
import { type HelperLine } from './helper-line.js'
import {
  defineDomain,
  doomed,
  folder,
  openElsewhere,
  openHelper,
  owner,
  uuidOf,
} from './prepared-host.js'

const item = (name: string, base = 'base.qcow2', fresh = false) => ({ name, base, fresh, owner })

/** Overlays and throw-away layers. Expects base.qcow2 in the images directory. */
export async function overlayTests(t: Test, host: FleetHost): Promise<void> {
  const line = await openHelper(host)
  t.teardown(() => line.end())
  await t.test('makes a batch, each item on its own', (t) => batch(t, host, line))
  await t.test('keeps or renews what exists', (t) => keepOrRenew(t, host, line))
  await t.test('lays throw-away layers into their own directory', (t) => layers(t, host, line))
  await t.test('refuses without harm on a full disk', (t) => diskFull(t, host))
}

async function batch(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const id = line.send(
    'overlay_create',
    { items: [item('a.qcow2'), item('b.qcow2', 'none.qcow2'), item('c.qcow2')] },
    { operation: 'overlays:1' },
  )
  const { result } = await line.answer(id)
  t.match(result, {
    items: [
      { name: 'a.qcow2', ok: true },
      { name: 'b.qcow2', ok: false, error: { code: 'not_found' } },
      { name: 'c.qcow2', ok: true },
    ],
  })
  t.equal(
    line.messages.filter((one) => one['id'] === id && one['item']).length,
    3,
    'each was told when it was finished',
  )
  t.match(await line.must('overlay_list'), {
    items: [{ name: 'a.qcow2', base: 'base.qcow2', virtual_size: 40 << 20 }, { name: 'c.qcow2' }],
  })
  t.equal(readlinkSync(host.path(`${folder}/transient/a.qcow2`)), `${folder}/overlays/a.qcow2`)
  await host.mustRun([
    'qemu-img',
    'create',
    '-q',
    '-f',
    'qcow2',
    '-F',
    'qcow2',
    '-b',
    `${folder}/images/base.qcow2`,
    '/var/tmp/bare.qcow2',
  ])
  await host.mustRun(['cmp', '/var/tmp/bare.qcow2', `${folder}/overlays/a.qcow2`])
  await host.mustRun(['qemu-img', 'check', '-q', `${folder}/overlays/c.qcow2`])
}

async function keepOrRenew(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const inode = () => statSync(host.path(`${folder}/overlays/a.qcow2`)).ino
  const first = inode()
  const transient = `${folder}/transient`
  const layer = async (base: string, name: string): Promise<void> => {
    const words = ['-q', '-f', 'qcow2', '-F', 'qcow2', '-b', base]
    await host.mustRun(['qemu-img', 'create', ...words, `${transient}/${name}`])
  }
  await layer(`${folder}/overlays/a.qcow2`, 'a.qcow2.TRANSIENT-a')
  await layer(`${folder}/overlays/c.qcow2`, 'c.qcow2.TRANSIENT-c')
  await host.mustRun(['touch', `${transient}/a.qcow2.TRANSIENT-else`])
  await line.must('overlay_create', { items: [item('a.qcow2')] })
  t.equal(inode(), first, 'kept')
  await line.must('overlay_create', { items: [item('a.qcow2', 'base.qcow2', true)] })
  t.not(inode(), first, 'renewed')
  t.same(
    readdirSync(host.path(transient)).filter((name) => name.includes('TRANSIENT')),
    ['a.qcow2.TRANSIENT-else', 'c.qcow2.TRANSIENT-c'],
    "its own layer is gone, another domain's stays",
  )
  const clear = { domain: 'c', uuid: uuidOf('c'), name: 'c.qcow2' }
  t.same(await line.must('transient_clear', clear), { removed: true })
  t.same(await line.must('transient_clear', clear), { removed: false })
  await host.mustRun(['tee', `${transient}/c.qcow2.TRANSIENT-c`], { input: 'not a layer' })
  t.equal(await line.refusal('transient_clear', clear), 'foreign')
  t.match(await line.must('overlay_create', { items: [item('c.qcow2', 'base.qcow2', true)] }), {
    items: [{ error: { code: 'foreign' } }],
  })
  t.equal(readFileSync(host.path(`${transient}/c.qcow2.TRANSIENT-c`), 'utf8'), 'not a layer')
  await host.mustRun([
    'rm',
    `${transient}/c.qcow2.TRANSIENT-c`,
    `${transient}/a.qcow2.TRANSIENT-else`,
  ])
  await line.must('image_create', { name: 'other.qcow2', size_bytes: 1 << 20, owner })
  await line.must('overlay_create', { items: [item('a.qcow2', 'other.qcow2')] })
  t.match(await line.must('overlay_list'), {
    items: [{ name: 'a.qcow2', base: 'other.qcow2' }, { name: 'c.qcow2' }],
  })
  const renewed = { items: [item('a.qcow2', 'base.qcow2', true)] }
  await line.must('overlay_create', renewed, { operation: 'renewed' })
  const user = await openElsewhere(host, `${folder}/overlays/a.qcow2`)
  t.match(await line.must('overlay_create', renewed), { items: [{ error: { code: 'in_use' } }] })
  t.match(
    await line.must('overlay_create', renewed, { operation: 'renewed' }),
    { items: [{ name: 'a.qcow2', ok: true }] },
    'its answer was lost, and the machine runs on it by now',
  )
  await user.close()
}

async function layers(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  await line.must('overlay_create', { items: [item('layered.qcow2')] })
  const xml = `<domain type='qemu'><name>layered</name><uuid>${uuidOf('layered')}</uuid>
    <memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
    <disk type='file'><driver name='qemu' type='qcow2'/>
    <source file='${folder}/transient/layered.qcow2'/><target dev='vda' bus='virtio'/>
    <transient/></disk>
    </devices></domain>`
  await defineDomain(host, xml)
  await host.mustRun(['virsh', 'start', 'layered'])
  t.ok(readdirSync(host.path(`${folder}/transient`)).includes('layered.qcow2.TRANSIENT-layered'))
  t.same(
    readdirSync(host.path(`${folder}/overlays`)).filter((name) => name.includes('TRANSIENT')),
    [],
  )
  t.equal(
    await line.refusal('transient_clear', {
      domain: 'layered',
      uuid: uuidOf('layered'),
      name: 'layered.qcow2',
    }),
    'in_use',
  )
  t.match(
    await line.must('overlay_create', { items: [item('layered.qcow2', 'base.qcow2', true)] }),
    { items: [{ error: { code: 'in_use' } }] },
  )
  t.match(await line.must('image_remove', { dir: 'overlays', items: doomed('layered.qcow2') }), {
    items: [{ error: { code: 'in_use' } }],
  })
  t.equal(
    await line.refusal('image_copy', {
      source: { dir: 'overlays', name: 'layered.qcow2' },
      name: 'x.qcow2',
      owner,
    }),
    'in_use',
  )
  await host.mustRun(['virsh', 'destroy', 'layered'])
  t.notOk(readdirSync(host.path(`${folder}/transient`)).includes('layered.qcow2.TRANSIENT-layered'))
  t.same(await line.must('domain_undefine', { name: 'layered', uuid: uuidOf('layered') }), {})
  await line.must('image_remove', {
    dir: 'overlays',
    items: doomed('a.qcow2', 'c.qcow2', 'layered.qcow2'),
  })
  await line.must('image_remove', { dir: 'images', items: doomed('other.qcow2') })
}

async function diskFull(t: Test, host: FleetHost): Promise<void> {
  const undo = await host.limitDisk(`${folder}/small`, 256 << 10)
  const line = await openHelper(host, {
    images: `${folder}/images`,
    overlays: `${folder}/small/o`,
    transient: `${folder}/transient`,
  })
  const names = Array.from({ length: 40 }, (_, index) => `o${index}.qcow2`)
  const { items } = (await line.must('overlay_create', {
    items: names.map((name) => item(name)),
  })) as { items: { name: string; ok: boolean; error?: { code: string } }[] }
  const failed = items.filter(({ ok }) => !ok)
  t.ok(failed.length > 0 && failed.length < 40)
  t.ok(failed.every(({ error }) => error?.code === 'no_space'))
  const made = items.filter(({ ok }) => ok).map(({ name }) => name)
  t.same(
    readdirSync(host.path(`${folder}/small/o`)).sort(),
    ['.berth-parts', ...made].sort(),
    'nothing half-made',
  )
  t.same(readdirSync(host.path(`${folder}/small/o/.berth-parts`)), [])
  await line.must('image_remove', { dir: 'overlays', items: doomed(...names) })
  await line.end()
  await undo()
}
