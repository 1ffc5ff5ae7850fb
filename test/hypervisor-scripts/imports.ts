import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type Test } from 'tap'
import { type FleetHost } from '../fleet/fleet-host.js'
import { type HelperLine } from './helper-line.js'
import { doomed, folder, owner } from './prepared-host.js'

export async function imports(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
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

/** A descriptor names files that QEMU opens: here a FIFO, which holds up every process that opens it. */
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
