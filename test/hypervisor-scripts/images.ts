import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type Test } from 'tap'
import { type FleetHost } from '../fleet/fleet-host.js'
import { until } from '../support/until.js'
import { type HelperLine } from './helper-line.js'
import { doomed, openElsewhere, openHelper, owner } from './prepared-host.js'

const folder = '/var/lib/berth'
const sha256Of = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

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
  t.same(readdirSync(host.path(`${folder}/transient`)), [], 'the link is gone too')
  await host.mustRun([
    'rm',
    ...['link', 'fifo', 'broken'].map((name) => `${folder}/images/${name}.qcow2`),
  ])
}

async function copies(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
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

async function copyRefusals(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
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

async function reflink(t: Test, host: FleetHost): Promise<void> {
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

async function diskFull(t: Test, host: FleetHost): Promise<void> {
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

async function cancelledCopy(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const id = await copyInTheMiddle(host, line, 'c.qcow2')
  t.same(await line.must('cancel', { request: id }), { found: true })
  t.match(await line.answer(id), { ok: false, error: { code: 'cancelled' } })
  t.notOk(readdirSync(host.path(`${folder}/images`)).some((name) => name.startsWith('c.qcow2')))
  t.same(await line.must('cancel', { request: id }), { found: false })
}

async function killedCopy(t: Test, host: FleetHost): Promise<void> {
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

async function imports(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const at = (name: string) => `${folder}/import/${name}`
  const create = (name: string, ...words: string[]) =>
    host.mustRun(['qemu-img', 'create', '-q', ...words, at(name), '2M'])
  await create('good.qcow2', '-f', 'qcow2')
  await create('good.vmdk', '-f', 'vmdk')
  await create('flat.vmdk', '-f', 'vmdk', '-o', 'subformat=monolithicFlat')
  await create('backed.qcow2', '-f', 'qcow2', '-F', 'raw', '-u', '-b', '/etc/shadow')
  await create('data.qcow2', '-f', 'qcow2', '-o', 'data_file=/var/tmp/import-data,data_file_raw=on')
  await create('snap.qcow2', '-f', 'qcow2')
  await host.mustRun(['qemu-img', 'snapshot', '-c', 'one', at('snap.qcow2')])
  await host.mustRun(['qemu-img', 'create', '-q', '-f', 'qcow2', at('huge.qcow2'), '17T'])
  await host.mustRun(['ln', '-s', '/etc/shadow', at('link')])
  await host.mustRun(['mkfifo', at('fifo')])
  t.match(await line.must('image_inspect', { path: at('good.qcow2') }), {
    format: 'qcow2',
    virtual_size: 2 << 20,
    actual_size: Number,
  })
  t.match(await line.must('image_inspect', { path: at('good.vmdk') }), { format: 'vmdk' })
  for (const name of [
    'flat.vmdk',
    'backed.qcow2',
    'data.qcow2',
    'snap.qcow2',
    'huge.qcow2',
    'fifo',
  ]) {
    t.equal(await line.refusal('image_inspect', { path: at(name) }), 'bad_image', name)
    t.equal(
      await line.refusal('image_import', { path: at(name), name: 'imported.qcow2', owner }),
      'bad_image',
      name,
    )
  }
  await hostileDescriptors(t, host, line)
  await movingTarget(t, host, line)
  t.equal(await line.refusal('image_inspect', { path: at('link') }), 'bad_path')
  t.equal(await line.refusal('image_inspect', { path: at('none') }), 'not_found')
  t.match(
    await line.must('image_import', { path: at('good.vmdk'), name: 'imported.qcow2', owner }),
    {
      virtual_size: 2 << 20,
    },
  )
  t.equal(
    await line.refusal('image_import', { path: at('good.vmdk'), name: 'imported.qcow2', owner }),
    'exists',
  )
  await line.must('image_remove', { dir: 'images', items: doomed('imported.qcow2') })
}

/** A descriptor names files that QEMU opens: here a FIFO, which holds up whoever opens it. */
async function hostileDescriptors(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const fifo = '/var/tmp/trap'
  await host.mustRun(['mkfifo', fifo])
  const text = (parent: string): string =>
    '# Disk ' +
    `DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=${parent}\ncreateType="monolithicFlat"\nRW ` +
    `2048 FLAT "${fifo}" 0\n`
  const header = (capacity: bigint): Buffer => {
    const data = Buffer.alloc(64 * 512)
    data.write('KDMV')
    data.writeUInt32LE(1, 4)
    data.writeUInt32LE(3, 8)
    data.writeBigUInt64LE(capacity, 12)
    data.writeBigUInt64LE(128n, 20)
    data.writeBigUInt64LE(1n, 28)
    data.writeBigUInt64LE(20n, 36)
    return data
  }
  const embedded = (capacity: bigint, parent: string): Buffer => {
    const data = header(capacity)
    data.write(text(parent), 512)
    return data
  }
  const hostile = {
    'text.vmdk': Buffer.from(text('ffffffff')),
    'comment.vmdk': Buffer.from(`# a comment\n\n${text('ffffffff')}`),
    'empty.vmdk': embedded(0n, 'ffffffff'),
    'parent.vmdk': embedded(2048n, '12345678'),
  }
  for (const [name, content] of Object.entries(hostile)) {
    writeFileSync(host.path(`${folder}/import/${name}`), content)
    const started = performance.now()
    const path = `${folder}/import/${name}`
    t.equal(await line.refusal('image_inspect', { path }), 'bad_image', name)
    t.equal(
      await line.refusal('image_import', { path, name: 'imported.qcow2', owner }),
      'bad_image',
      name,
    )
    t.ok(performance.now() - started < 20_000, `${name}: nothing waits at the FIFO`)
  }
  await host.mustRun(['rm', fifo])
}

/**
 * The owner of a file changes it while it is imported, again and again: what root alone can read
 * never gets into the image.
 */
async function movingTarget(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const path = `${folder}/import/moving.qcow2`
  const secret = 'the-secret-of-root'
  const swap = `
import os
good = open('/var/tmp/good.qcow2', 'rb').read()
bad = open('/var/tmp/bad.qcow2', 'rb').read()
handle = os.open('${path}', os.O_RDWR)
print('swapping', flush=True)
while True:
    os.pwrite(handle, good, 0)
    os.pwrite(handle, bad, 0)
`
  await host.mustRun([
    'bash',
    '-c',
    `for i in $(seq 4096); do echo ${secret}; done > /var/tmp/secret && chmod 600 ` +
      '/var/tmp/secret && qemu-img create -q -f qcow2 /var/tmp/good.qcow2 64K && qemu-img ' +
      'create -q -f qcow2 -F raw -u -b /var/tmp/secret /var/tmp/bad.qcow2 64K && cp ' +
      `/var/tmp/good.qcow2 ${path}`,
  ])
  const swapper = host.spawnInside(['python3', '-c', swap])
  await once(swapper.stdout, 'data')
  try {
    for (let round = 0; round < 8; round++) {
      const answer = await line.ask('image_import', { path, name: 'moved.qcow2', owner })
      t.ok(answer.ok || answer.error.code === 'bad_image', JSON.stringify(answer.error))
      if (!answer.ok) continue
      t.notOk(readFileSync(host.path(`${folder}/images/moved.qcow2`)).includes(secret))
      await line.must('image_remove', { dir: 'images', items: doomed('moved.qcow2') })
    }
  } finally {
    swapper.kill('SIGKILL')
  }
}
