import { readdirSync } from 'node:fs'
import { type Test } from 'tap'
import { type FleetHost } from '../fleet/fleet-host.js'
import { type HelperLine } from './helper-line.js'
import { doomed, folder, openHelper, owner } from './prepared-host.js'
import { cancelledCopy, copies, copyRefusals, diskFull, killedCopy, reflink } from './copies.js'
import { imports } from './imports.js'

/** Copies, imports, checksums and removals. Leaves source.qcow2 and base.qcow2 in the images directory. */
export async function imageTests(t: Test, host: FleetHost): Promise<void> {
  const line = await openHelper(host)
  t.teardown(() => line.end())
  await t.test('makes, lists and removes images', (t) => makeAndRemove(t, host, line))
  await t.test('copies, verified and read-only', (t) => copies(t, host, line))
  await t.test('refuses copies that cannot be right', (t) => copyRefusals(t, host, line))
  await t.test('copies by reflink where the file system can', (t) => reflink(t, host))
  await t.test('survives a full disk', (t) => diskFull(t, host))
  await t.test('leaves nothing of a cancelled copy', (t) => cancelledCopy(t, host, line))
  await t.test('cleans up after kill -9 in a copy', (t) => killedCopy(t, host))
  await t.test('imports what is harmless only', (t) => imports(t, host, line))
}

async function makeAndRemove(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const create = { name: 'a.qcow2', size_bytes: 1 << 30, owner }
  t.same(await line.must('image_create', create, { operation: 'create:a' }), {})
  t.same(
    (await line.ask('image_create', create, { operation: 'create:a' })).ok,
    true,
    'the same operation again is fine',
  )
  t.equal(
    await line.refusal('image_create', create, { operation: 'create:b' }),
    'exists',
    'an empty image of the same size that another operation made is not',
  )
  t.equal(
    await line.refusal('image_create', { ...create, owner: 'else' }, { operation: 'create:c' }),
    'foreign',
  )
  t.equal(await line.refusal('image_create', { name: 'a.qcow2', size_bytes: 512, owner }), 'exists')
  await host.mustRun(['ln', '-s', '/etc/shadow', `${folder}/images/link.qcow2`])
  await host.mustRun(['mkfifo', `${folder}/images/fifo.qcow2`])
  await host.mustRun(['tee', `${folder}/images/broken.qcow2`], { input: 'QFI' })
  t.match(await line.must('image_list'), {
    items: [
      { name: 'a.qcow2', virtual_size: 1 << 30, base: null },
      { name: 'broken.qcow2', bytes: 3, virtual_size: 0, base: null },
    ],
  })
  t.equal(await line.refusal('image_checksum', { dir: 'images', name: 'link.qcow2' }), 'bad_image')
  t.equal(await line.refusal('image_checksum', { dir: 'images', name: 'fifo.qcow2' }), 'bad_image')
  await removesOnlyWhatNobodyUses(t, line)
  t.same(readdirSync(host.path(`${folder}/transient`)), [], 'the link is gone too')
  await host.mustRun([
    'rm',
    ...['link', 'fifo', 'broken'].map((name) => `${folder}/images/${name}.qcow2`),
  ])
}

async function removesOnlyWhatNobodyUses(t: Test, line: HelperLine): Promise<void> {
  await line.must('overlay_create', {
    items: [{ name: 'o.qcow2', base: 'a.qcow2', fresh: false, owner }],
  })
  const refused = await line.must('image_remove', {
    dir: 'images',
    items: doomed('a.qcow2', 'none.qcow2', 'broken.qcow2'),
  })
  t.match(refused, {
    items: [
      { name: 'a.qcow2', ok: false, error: { code: 'in_use', message: /o\.qcow2/ } },
      { name: 'none.qcow2', ok: true },
      { name: 'broken.qcow2', ok: false, error: { code: 'foreign' } },
    ],
  })
  t.match(await line.must('image_remove', { dir: 'overlays', items: doomed('o.qcow2') }), {
    items: [{ ok: true }],
  })
  t.match(await line.must('image_remove', { dir: 'images', items: doomed('a.qcow2') }), {
    items: [{ ok: true }],
  })
}
