import t from 'tap'
import { office, poolOf } from './office.js'
import { apply, atRest, everything, faultsOf, SEED_POOL } from './documents.js'

t.test('every fault at once, each with its line; and then nothing is done', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const yaml = `apiVersion: berth/v1
kind: Pool
metadata:
  name: "a b"
spec:
  colour: blue
  size: many
  retention: 4 hours
  permissions:
  - user: ann
    role: user
    may: [start]
  - user: bob
    may: [fly]
---
apiVersion: berth/v2
kind: Pool
---
${SEED_POOL}  spares: 3
`
  const faults = await faultsOf(yaml)
  t.match(faults, [
    /^4 metadata\.name is not of this form: Letters, digits, dot, dash, underscore; starts/,
    /^6 spec\.colour is not a field/,
    /^7 spec\.size must be a whole number/,
    /^8 spec\.retention is not of this form/,
    /^14 spec\.permissions\.1\.may\.0 must be one of start/,
    /^16 apiVersion "berth\/v2" with kind "Pool" is not known: use berth\/v1 Pool, or/,
    /^36 spec\.spares is not a field/,
  ])
  t.equal(faults.length, 7)
  const before = await atRest(broker)
  await t.rejects(apply(broker, yaml), {
    code: 'invalid_request',
    status: 400,
    message: /line 4: metadata\.name .* \(6 more faults in the details\)\.$/,
  })
  t.equal(await everything(broker), before)
})

t.test('more that is wrong', async (t) => {
  const ours = (spec: string): string =>
    `apiVersion: berth/v1\nkind: Pool\nmetadata:\n  name: p\nspec:\n${spec}`
  const rows: Array<[string, string, RegExp]> = [
    ['not YAML', 'a: [1, 2', /^1 /],
    ['a field twice', ours('  size: 1\n  size: 2\n'), /^7 .*unique/],
    ['an alias', ours('  size: &a 1\n  min: *a\n'), /^7 an alias/],
    ['text', 'hello', /^1 apiVersion "" with kind ""/],
    ['a list', '- a', /^1 apiVersion/],
    ['no spec', 'apiVersion: berth/v1\nkind: Pool\nmetadata:\n  name: p\n', /^1 spec is missing/],
    [
      'whom?',
      ours('  permissions:\n  - may: [start]\n'),
      /^7 spec\.permissions\.0 must name a user or a role/,
    ],
    [
      'both',
      ours('  permissions:\n  - user: a\n    role: b\n    may: [start]\n'),
      /^7 spec\.permissions\.0 must name a user or a role/,
    ],
    [
      'a role of two lines',
      ours('  permissions:\n  - role: "all\\nof us"\n    may: [start]\n'),
      /^7 spec\.permissions\.0\.role is not of this form: Letters, digits, space and .* at most 63\./,
    ],
    ['a machine with a way up', ours('  from: ../golden\n'), /^6 spec\.from/],
    ['what was indented once, with its indentation lost', SEED_POOL.replace(/^ +/gm, ''), /./],
  ]
  for (const [what, yaml, fault] of rows)
    t.match((await faultsOf(yaml))[0] ?? 'nothing', fault, what)
  t.same(await faultsOf('---\n---\n'), [], 'empty documents are none')
  t.same(await faultsOf(''), [])
})

t.test('what only the broker knows is refused before anything is done', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'lab', 1)
  const before = await atRest(broker)
  const good =
    'apiVersion: berth/v1\nkind: Pool\nmetadata: { name: good }\nspec: { size: 0 }\n---\n'
  const pool = (name: string, spec: string): string =>
    `${good}apiVersion: berth/v1\nkind: Pool\nmetadata: { name: ${name} }\nspec: ${spec}\n`
  const rows: Array<[string, RegExp]> = [
    [
      pool('bad', '{ timeZone: Mars/Olympus, schedule: [{ cron: "99 * * * *", do: stop }] }'),
      /line 6: bad: timeZone .* \(1 more fault in the details\)/,
    ],
    [pool('lab', '{ size: 5, max: 3 }'), /line 6: lab: max is 3, less than min \(5\)/],
    [pool('bad', '{ from: nowhere, size: 1 }'), /nowhere/],
    [pool('bad', '{ members: [nowhere] }'), /nowhere/],
    [pool('good', '{ size: 0 }'), /described twice/],
  ]
  for (const [yaml, message] of rows)
    for (const dryRun of [true, false]) await t.rejects(apply(broker, yaml, dryRun), { message })
  t.equal(await everything(broker), before)
})

t.test(
  'what is refused while it is done leaves nothing done, wherever it stands in the file',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    await poolOf(broker, 'lab', 1)
    await broker.admin.post('/machines', {
      name: 'pc',
      type: 'simple',
      hypervisors: ['hv1'],
      diskGib: 1,
    })
    await broker.admin.post('/machines', {
      name: 'new-2',
      type: 'simple',
      hypervisors: ['hv1'],
      diskGib: 1,
    })
    await broker.admin.post('/machines/pc/assign', { user: 'bob' })
    const pool = (name: string, spec: string): string =>
      `apiVersion: berth/v1\nkind: Pool\nmetadata: { name: ${name} }\nspec: ${spec}\n`
    const good = [
      pool(
        'first',
        '{ from: golden-desktop, size: 1, permissions: [{ user: ann, may: [start] }] }',
      ),
      pool('lab', '{ size: 3, retention: PT9H, permissions: [{ role: staff, may: [start] }] }'),
    ]
    const rows: Array<[string, RegExp]> = [
      [pool('hand', '{ members: [pc] }'), /bob has pc: release it first/],
      [pool('hand', '{ members: [golden-desktop] }'), /golden-desktop is a source machine/],
      [pool('new', '{ from: golden-desktop, size: 2 }'), /There is a machine new-2 already/],
      [pool('hand', '{ size: 2 }'), /needs the golden machine/],
      [pool('hand', '{ from: golden-desktop, hypervisors: [nowhere] }'), /no hypervisor nowhere/],
      [
        'apiVersion: vmoperator.jdrupes.org/v1\nkind: VirtualMachine\nmetadata: { name: pc ' +
          '}\nspec: { pools: [first] }\n',
        /bob has pc/,
      ],
    ]
    const before = await atRest(broker)
    for (const [bad, message] of rows) {
      for (const dryRun of [true, false])
        await t.rejects(apply(broker, [...good, bad].join('---\n'), dryRun), { message })
      t.equal(await everything(broker), before, message.source)
    }
    const { changes, jobs } = await apply(broker, good.join('---\n'))
    t.match(changes, [{ action: 'create' }, { action: 'change' }])
    for (const job of jobs) await broker.admin.succeeded(job)
  },
)
