import { type Test } from 'tap'
import { type FleetHost } from '../fleet/fleet-host.js'
import { doomed, openHelper, owner, uuidOf } from './prepared-host.js'

/** The line itself: bad input, ids, the journal and the fence. */
export async function protocolTests(t: Test, host: FleetHost): Promise<void> {
  await t.test('says hello and answers', (t) => hello(t, host))
  await t.test('refuses bad requests and goes on', (t) => badRequests(t, host))
  await t.test('refuses hostile names', (t) => hostileNames(t, host))
  await t.test('answers a repeated operation from its journal', (t) => replay(t, host))
  await t.test('refuses an older broker', (t) => fence(t, host))
  await t.test('probes how guests run', (t) => probe(t, host))
}

async function hello(t: Test, host: FleetHost): Promise<void> {
  const line = await openHelper(host, null)
  t.equal((await line.ask('image_list')).error.code, 'bad_request', 'configure comes first')
  t.match(line.messages[0], {
    hello: 'berth-helper',
    protocol: 1,
    version: /^[0-9a-f]{12}$/,
    clock_ms: Number,
  })
  t.equal(
    await line.refusal('configure', {
      images: '/etc',
      overlays: '/var/lib/berth/o',
      transient: '/var/lib/berth/t',
    }),
    'bad_path',
  )
  t.match(
    await line.must('configure', {
      images: '/var/lib/berth/images',
      overlays: '/var/lib/berth/overlays',
      transient: '/var/lib/berth/transient',
    }),
    {
      hostname: host.name,
      cores: Number,
      libvirt_version: /^\d+\.\d+/,
      qemu_version: /^\d+\.\d+/,
      directories: {
        images: { path: '/var/lib/berth/images', free_bytes: Number, reflink: Boolean },
      },
    },
  )
  for (const name of ['images', 'overlays', 'transient'])
    t.equal(
      await host.mustRun(['stat', '-c', '%a %U:%G', `/var/lib/berth/${name}`]),
      '710 root:libvirt-qemu\n',
    )
  t.equal(await line.end(), 0)
}

const BAD_LINES = [
  '',
  'x',
  '[]',
  '"a"',
  '{"op":"ping"}',
  '{"id":7,"op":"ping"}',
  '{"id":"","op":"ping"}',
  `{"id":"${'x'.repeat(200)}","op":"ping"}`,
  '['.repeat(100_000),
]

const REFUSALS: [string, unknown, Record<string, unknown>?][] = [
  ['nothing', {}],
  ['ping', { x: 1 }],
  ['ping', []],
  ['ping', {}, { extra: 1 }],
  ['ping', {}, { operation: 'a b' }],
  ['ping', {}, { fence: 1.5 }],
  ['ping', {}, { fence: -1 }],
  ['ping', {}, { fence: true }],
  ['image_create', { name: 'a.qcow2', owner }],
  ['image_create', { name: 'a.qcow2', size_bytes: 512 }],
  ['image_create', { name: 7, size_bytes: 512, owner }],
  ['image_create', { name: 'a.qcow2', size_bytes: '512', owner }],
  ['image_create', { name: 'a.qcow2', size_bytes: 1e30, owner }],
  ['overlay_create', { items: [{ name: 'a.qcow2', base: 'b.qcow2', fresh: 'yes', owner }] }],
  [
    'overlay_create',
    { items: [{ name: 'a.qcow2', base: 'b.qcow2', fresh: true, owner, more: 1 }] },
  ],
  ['image_remove', { dir: 'transient', items: [] }],
  ['ticket', { domain: 'a', uuid: uuidOf('a'), password: 'x', ttl_seconds: 10, connected: 'keep' }],
  [
    'ticket',
    {
      domain: 'a',
      uuid: uuidOf('a'),
      password: 'x'.repeat(61),
      ttl_seconds: 10,
      connected: 'keep',
    },
  ],
  [
    'ticket',
    {
      domain: 'a',
      uuid: uuidOf('a'),
      password: 'x'.repeat(24),
      ttl_seconds: 31,
      connected: 'keep',
    },
  ],
  ['guest_agent', { domain: 'a', uuid: uuidOf('a'), command: 'guest-exec', arguments: {} }],
]

async function badRequests(t: Test, host: FleetHost): Promise<void> {
  const line = await openHelper(host)
  for (const bad of [...BAD_LINES, 'y'.repeat(3 << 20)]) {
    line.messages.length = 0
    line.write(`${bad}\n`)
    t.match(
      await line.answer(null),
      { ok: false, error: { code: 'bad_request' } },
      bad.slice(0, 40),
    )
  }
  line.write(Buffer.from([0xff, 0xfe, 10]))
  for (const [op, args, more] of REFUSALS)
    t.equal(
      await line.refusal(op, args, more),
      'bad_request',
      `${op} ${JSON.stringify([args, more])}`,
    )
  t.same(await line.must('ping'), {})
  await line.end()
}

const BAD_NAMES = [
  '../x.qcow2',
  'a/b.qcow2',
  '.qcow2',
  '-a.qcow2',
  `${'a'.repeat(300)}.qcow2`,
  'ü.qcow2',
  '$(id).qcow2',
  'a\n.qcow2',
  'a\0.qcow2',
  'a b.qcow2',
  'a',
  '',
]

async function hostileNames(t: Test, host: FleetHost): Promise<void> {
  const line = await openHelper(host)
  for (const name of BAD_NAMES) {
    t.equal(
      await line.refusal('image_create', { name, size_bytes: 512, owner }),
      'bad_name',
      JSON.stringify(name),
    )
    t.equal(
      await line.refusal('overlay_create', {
        items: [{ name, base: 'b.qcow2', fresh: true, owner }],
      }),
      'bad_name',
    )
  }
  for (const name of ['--all', '../x', 'a'.repeat(65), 'a b', "a'b", 'a\n', 'ä', '']) {
    t.equal(
      await line.refusal('domain_undefine', { name, uuid: uuidOf('a') }),
      'bad_name',
      JSON.stringify(name),
    )
  }
  for (const path of [
    '/etc/shadow',
    '/var/lib/berth/import/../fence',
    '/dev/zero',
    '/var/lib/berth/import',
    'x',
    '/a\0b',
    `/${'x'.repeat(2000)}`,
  ]) {
    t.equal(
      await line.refusal('image_inspect', { path }),
      'bad_path',
      JSON.stringify(path.slice(0, 40)),
    )
  }
  await line.end()
}

async function replay(t: Test, host: FleetHost): Promise<void> {
  const line = await openHelper(host)
  const create = { name: 'journal.qcow2', size_bytes: 1 << 20, owner }
  const first = await line.ask('image_create', create, { operation: 'op:1' })
  t.match(first, { ok: true, result: {} })
  t.notOk(first.replayed)
  await line.must('image_remove', { dir: 'images', items: doomed('journal.qcow2') })
  t.match(await line.ask('image_create', create, { operation: 'op:1' }), {
    ok: true,
    replayed: true,
  })
  t.equal(
    await line.refusal('image_create', { ...create, size_bytes: 512 }, { operation: 'op:1' }),
    'bad_request',
    'another request',
  )
  t.match(
    await line.ask('image_checksum', { dir: 'images', name: 'none.qcow2' }, { operation: 'op:2' }),
    { ok: false, error: { code: 'not_found' } },
  )
  t.match(
    await line.ask('image_checksum', { dir: 'images', name: 'none.qcow2' }, { operation: 'op:2' }),
    { ok: false, replayed: true },
  )
  await line.end()
  const later = await openHelper(host)
  t.match(
    await later.ask('image_create', create, { operation: 'op:1' }),
    { ok: true, replayed: true },
    'another process knows it',
  )
  t.same(await later.must('image_list'), { items: [] }, 'and did nothing')
  await later.end()
}

async function fence(t: Test, host: FleetHost): Promise<void> {
  const line = await openHelper(host)
  t.same(await line.must('ping', {}, { fence: 5 }), {})
  t.equal(await line.refusal('image_list', {}, { fence: 4 }), 'fenced')
  t.equal(await line.refusal('ping', {}, { fence: 4 }), 'fenced')
  t.match(await line.must('image_list', {}, { fence: 5 }), { items: [] })
  t.match(await line.must('image_list'), { items: [] })
  const other = await openHelper(host)
  t.equal(await other.refusal('ping', {}, { fence: 4 }), 'fenced', 'another process knows it')
  await Promise.all([line.end(), other.end()])
}

async function probe(t: Test, host: FleetHost): Promise<void> {
  const line = await openHelper(host)
  const begun = line.send('probe_virt')
  t.same(await line.must('ping'), {}, 'nothing waits for the probe')
  t.match((await line.answer(begun)).result, { virt_type: /^(kvm|qemu)$/, reason: /\.$/ })
  await host
    .mustRun(['mv', '/dev/kvm', '/dev/no-kvm'])
    .catch(() => t.comment('there is no /dev/kvm here'))
  t.match(await line.must('probe_virt'), { virt_type: 'qemu', reason: /no \/dev\/kvm/ })
  await host.run(['mv', '/dev/no-kvm', '/dev/kvm'])
  await line.end()
}
