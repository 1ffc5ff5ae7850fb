import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { type Test } from 'tap'
import { type FleetHost } from '../fleet/fleet-host.js'
import { until } from '../support/until.js'
import { type HelperLine } from './helper-line.js'
import { doomed, folder, openElsewhere, openHelper, owner } from './prepared-host.js'

const sha256Of = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** A qcow2 on the host with `mib` MiB of data that cannot be squeezed. */
async function makeSource(host: FleetHost, path: string, mib: number): Promise<void> {
  await host.mustRun([
    'dd',
    'if=/dev/urandom',
    'of=/var/tmp/raw',
    'bs=1M',
    `count=${mib}`,
    'status=none',
  ])
  await host.mustRun(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '/var/tmp/raw', path])
}

export async function copies(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  await makeSource(host, `${folder}/images/source.qcow2`, 40)
  const id = line.send('image_copy', {
    source: { dir: 'images', name: 'source.qcow2' },
    name: 'base.qcow2',
    owner,
  })
  const { result } = await line.answer(id)
  const path = host.path(`${folder}/images/base.qcow2`)
  t.match(result, {
    virtual_size: 40 << 20,
    sha256: sha256Of(path),
    method: 'convert',
    bytes: Number,
  })
  const phases = line.messages
    .filter((one) => one['id'] === id && one['progress'])
    .map((one) => (one['progress'] as { phase: string }).phase)
  t.same([...new Set(phases)], ['convert', 'sync', 'check', 'checksum'])
  t.equal(await host.mustRun(['stat', '-c', '%a', `${folder}/images/base.qcow2`]), '440\n')
  await host.mustRun([
    'qemu-img',
    'compare',
    `${folder}/images/source.qcow2`,
    `${folder}/images/base.qcow2`,
  ])
  t.match(await line.must('image_checksum', { dir: 'images', name: 'base.qcow2' }), {
    sha256: result['sha256'],
    bytes: result['bytes'],
  })
  await line.must('overlay_create', {
    items: [{ name: 'child.qcow2', base: 'base.qcow2', fresh: true, owner }],
  })
  const flat = await line.must('image_copy', {
    source: { dir: 'overlays', name: 'child.qcow2' },
    name: 'flat.qcow2',
    owner,
  })
  t.match(flat, { virtual_size: 40 << 20, method: 'convert' }, 'a chain is flattened')
  t.match((await line.must('image_list'))['items'], [
    { name: 'base.qcow2' },
    { name: 'flat.qcow2', base: null },
    { name: 'source.qcow2' },
  ])
  await line.must('image_remove', { dir: 'images', items: doomed('flat.qcow2') })
  await line.must('image_remove', { dir: 'overlays', items: doomed('child.qcow2') })
}

export async function copyRefusals(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const copy = (name: string, to = 'copy.qcow2') =>
    line.refusal('image_copy', { source: { dir: 'images', name }, name: to, owner })
  t.equal(await copy('source.qcow2', 'base.qcow2'), 'exists')
  t.equal(await copy('none.qcow2'), 'not_found')
  await host.mustRun([
    'qemu-img',
    'create',
    '-q',
    '-f',
    'qcow2',
    '-F',
    'raw',
    '-b',
    '/etc/shadow',
    '-u',
    `${folder}/images/evil.qcow2`,
    '1M',
  ])
  t.equal(await copy('evil.qcow2'), 'bad_image', 'a backing file outside')
  await host.mustRun([
    'qemu-img',
    'create',
    '-q',
    '-f',
    'qcow2',
    '-o',
    'data_file=/var/tmp/data,data_file_raw=on',
    `${folder}/images/data.qcow2`,
    '1M',
  ])
  t.equal(await copy('data.qcow2'), 'bad_image', 'a data file')
  const user = await openElsewhere(host, `${folder}/images/source.qcow2`)
  t.equal(await copy('source.qcow2'), 'in_use')
  await user.close()
  await host.mustRun(['rm', `${folder}/images/evil.qcow2`, `${folder}/images/data.qcow2`])
  t.same(readdirSync(host.path(`${folder}/images/.berth-parts`)), [])
}

export async function reflink(t: Test, host: FleetHost): Promise<void> {
  const undo = await host.reflinkDisk(`${folder}/xfs`, 400 << 20)
  const line = await openHelper(host, {
    images: `${folder}/xfs/i`,
    overlays: `${folder}/xfs/o`,
    transient: `${folder}/xfs/t`,
  })
  await makeSource(host, `${folder}/xfs/i/source.qcow2`, 20)
  t.match(await line.must('facts'), { directories: { images: { reflink: true } } })
  const result = await line.must('image_copy', {
    source: { dir: 'images', name: 'source.qcow2' },
    name: 'b.qcow2',
    owner,
  })
  t.match(result, {
    method: 'reflink',
    sha256: sha256Of(host.path(`${folder}/xfs/i/source.qcow2`)),
  })
  await line.end()
  await undo()
}

export async function diskFull(t: Test, host: FleetHost): Promise<void> {
  const undo = await host.limitDisk(`${folder}/small`, 24 << 20)
  const line = await openHelper(host, {
    images: `${folder}/small/i`,
    overlays: `${folder}/overlays`,
    transient: `${folder}/transient`,
  })
  await makeSource(host, `${folder}/overlays/big.qcow2`, 40)
  const answer = await line.ask('image_copy', {
    source: { dir: 'overlays', name: 'big.qcow2' },
    name: 'b.qcow2',
    owner,
  })
  t.match(answer, {
    ok: false,
    error: { code: 'no_space', message: /needs up to \d+ bytes .* only \d+ bytes/ },
  })
  // Compressed data: small on disk, too large once copied, so that the disk becomes full in the middle.
  await host.mustRun([
    'sh',
    '-c',
    'yes berth | head -c 60M > /var/tmp/raw && qemu-img convert -c -f raw -O qcow2 ' +
      `/var/tmp/raw ${folder}/overlays/big.qcow2`,
  ])
  const midway = await line.ask('image_copy', {
    source: { dir: 'overlays', name: 'big.qcow2' },
    name: 'b.qcow2',
    owner,
  })
  t.match(midway, { ok: false, error: { code: 'no_space' } })
  t.same(readdirSync(host.path(`${folder}/small/i`)), ['.berth-parts'])
  t.same(readdirSync(host.path(`${folder}/small/i/.berth-parts`)), [], 'nothing half-made is left')
  await host.mustRun(['rm', `${folder}/overlays/big.qcow2`])
  await line.end()
  await undo()
}

/** Starts a copy of a large source and waits until it is in the middle. */
async function copyInTheMiddle(host: FleetHost, line: HelperLine, name: string): Promise<string> {
  if (!existsSync(host.path(`${folder}/images/large.qcow2`)))
    await makeSource(host, `${folder}/images/large.qcow2`, 400)
  const id = line.send(
    'image_copy',
    { source: { dir: 'images', name: 'large.qcow2' }, name, owner },
    { operation: `copy:${name}` },
  )
  await until(() => existsSync(host.path(`${folder}/images/.berth-parts/${name}`)), {
    withinMs: 5000,
    everyMs: 1,
    what: 'the copy has begun',
  })
  return id
}

export async function cancelledCopy(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const id = await copyInTheMiddle(host, line, 'c.qcow2')
  t.same(await line.must('cancel', { request: id }), { found: true })
  t.match(await line.answer(id), { ok: false, error: { code: 'cancelled' } })
  t.notOk(readdirSync(host.path(`${folder}/images`)).some((name) => name.startsWith('c.qcow2')))
  t.same(await line.must('cancel', { request: id }), { found: false })
}

export async function killedCopy(t: Test, host: FleetHost): Promise<void> {
  const first = await openHelper(host)
  await copyInTheMiddle(host, first, 'k.qcow2')
  await first.kill()
  const gone = async () => (await host.run(['pgrep', '-f', 'qemu-im[g] convert'])).code === 1
  await until(gone, { withinMs: 3000, what: 'no child outlives the helper' })
  const second = await openHelper(host)
  t.same(await second.must('parts_remove', { keep: ['k.qcow2'] }), { removed: [] })
  t.same(await second.must('parts_remove', { keep: [] }), { removed: ['k.qcow2'] })
  const again = await second.ask(
    'image_copy',
    { source: { dir: 'images', name: 'large.qcow2' }, name: 'k.qcow2', owner },
    { operation: 'copy:k.qcow2' },
  )
  t.match(again, { ok: true, result: { method: 'convert' } })
  t.notOk(again.replayed)
  await second.must('image_remove', { dir: 'images', items: doomed('k.qcow2') })
  await host.mustRun(['rm', `${folder}/images/large.qcow2`])
  t.equal(await second.end(), 0)
}
