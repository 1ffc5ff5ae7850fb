import t from 'tap'
import { parseAllDocuments } from 'yaml'
import type { ApplyResult } from '../../../broker/api/pools.js'
import { readDocuments } from '../../../broker/pools/document-reading.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { office, poolOf, show } from './office.js'

/* As they stand in VM-Operator's manual (https://vm-operator.jdrupes.org/pools.html), unchanged. */
const SEED_POOL = `apiVersion: "vmoperator.jdrupes.org/v1"
kind: VmPool
metadata:
  namespace: vmop-dev
  name: test-vms
spec:
  retention: "PT4h"
  loginOnAssignment: true
  permissions:
  - user: admin
    may:
    - accessConsole
    - start
  - role: user
    may:
    - accessConsole
    - start
`
const SEED_MACHINE = `apiVersion: "vmoperator.jdrupes.org/v1"
kind: VirtualMachine

spec:
  pools:
    - test-vms
`
const apply = async (broker: SimulatedBroker, yaml: string, dryRun = false): Promise<ApplyResult> =>
  await broker.admin.post<ApplyResult>('/apply', { yaml, dryRun })
const exported = async (broker: SimulatedBroker): Promise<string> =>
  (await broker.admin.get<{ yaml: string }>('/export')).yaml
/** What a change causes follows it at once, or when its host was looked at. */
const AT_REST_MS = 1_500
const everything = async (broker: SimulatedBroker): Promise<string> =>
  JSON.stringify(
    await Promise.all(
      ['pool', 'pool_member', 'desktop', 'permission_grant', 'machine', 'job', 'event'].map(
        async (table) => await broker.rows(`SELECT * FROM ${table} ORDER BY 1`),
      ),
    ),
  )
/**
 * Everything, once nothing more changes by itself: no job is open, every host was looked at after
 * the last one, and no more desktops are started or stopped.
 */
async function atRest(broker: SimulatedBroker): Promise<string> {
  let [before, sinceMs] = ['', performance.now()]
  await until(
    async () => {
      const now = await everything(broker)
      const isOpen =
        (
          await broker.rows(
            "SELECT 1 FROM machine WHERE power = 'unknown' UNION ALL SELECT 1 FROM job WHERE finished_at IS NULL",
          )
        ).length > 0
      if (isOpen || now !== before) [before, sinceMs] = [now, performance.now()]
      return performance.now() - sinceMs > AT_REST_MS
    },
    { withinMs: 30_000, what: 'all is at rest' },
  )
  return before
}
/** `line 3 message` of each fault that `readDocuments` finds. */
async function faultsOf(yaml: string): Promise<string[]> {
  try {
    await readDocuments(yaml)
    return []
  } catch (error) {
    return (error as { details: Array<{ line: number; message: string }> }).details.map(
      ({ line, message }) => `${line} ${message}`,
    )
  }
}

t.test("VM-Operator's documents are accepted unchanged", async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const result = await apply(broker, `${SEED_POOL}---\n${SEED_MACHINE}`)
  t.match(result, {
    changes: [{ object: 'pool/test-vms', action: 'create' }],
    jobs: [],
    warnings: [/VirtualMachine has no metadata\.name: nothing is done with it/],
  })
  const { pool, members } = await show(broker, 'test-vms')
  t.match(pool, {
    name: 'test-vms',
    namespace: 'vmop-dev',
    size: 0,
    policy: { retention: 'PT4h', loginOnAssignment: true },
  })
  t.same(members, [])
  const { grants } = await broker.admin.get<{ grants: unknown[] }>(
    '/grants?kind=pool&object=test-vms',
  )
  t.match(grants, [
    { subjectKind: 'role', subject: 'user', verbs: ['start', 'accessConsole'] },
    { subjectKind: 'user', subject: 'admin', verbs: ['start', 'accessConsole'] },
  ])
  t.match(
    await apply(broker, SEED_POOL),
    { changes: [{ action: 'none', fields: [] }] },
    'again: nothing to do',
  )
})

t.test(
  'roles are named as elsewhere: case does not matter, and they are shown in small letters',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const yaml = SEED_POOL.replace('role: user', 'role: Users').concat(
      '  - role: vm-users/Lab 1\n    may: [start]\n  - role: USERS\n    may: [stop]\n  - role: Žąsys (1)\n',
    )
    t.match(await apply(broker, yaml), { changes: [{ action: 'create' }] })
    const { grants } = await broker.admin.get<{
      grants: Array<{ subject: string; verbs: string[] }>
    }>('/grants?kind=pool&object=test-vms')
    t.same(
      grants.map(({ subject, verbs }) => [subject, verbs.join()]),
      [
        ['users', 'start,stop,accessConsole'],
        ['vm-users/lab 1', 'start'],
        ['žąsys (1)', 'accessConsole'],
        ['admin', 'start,accessConsole'],
      ],
    )
    t.match(await apply(broker, yaml), { changes: [{ action: 'none' }] }, 'again: nothing to do')
    await broker.admin.post('/users', {
      name: 'ann',
      password: 'a long enough password',
      roles: ['VM-Users/Lab 1'],
    })
    t.match(await broker.admin.get('/users/ann'), { roles: [{ role: 'vm-users/lab 1' }] })
    t.match(await broker.admin.get('/users/ann/permissions'), {
      objects: [{ object: 'test-vms', verbs: ['start'] }],
    })
    await broker.admin.delete(
      '/grants?kind=pool&object=test-vms&subjectKind=role&subject=Vm-Users%2FLAB%201',
    )
    t.match(await broker.admin.get('/users/ann/permissions'), { objects: [] })
    for (const role of [
      '',
      ' x',
      'x ',
      '-x',
      'a,b',
      'a\u202eb',
      'a\nb',
      'x'.repeat(64),
      '*',
      'a"b',
    ]) {
      await t.rejects(
        broker.admin.patch('/users/ann', { roles: [role] }),
        {
          code: 'invalid_request',
          message: /roles.* is not of this form: Letters, digits, space and/,
        },
        JSON.stringify(role),
      )
      await t.rejects(
        broker.admin.put('/grants', {
          kind: 'pool',
          object: 'test-vms',
          subjectKind: 'role',
          subject: role,
          verbs: ['start'],
        }),
        { code: 'invalid_request' },
        JSON.stringify(role),
      )
    }
  },
)

t.test('a machine with a name joins and leaves the pools that it names', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.admin.post('/machines', {
    name: 'pc',
    type: 'simple',
    hypervisors: ['hv1'],
    diskGib: 1,
  })
  const machine = (pools: string): string =>
    `apiVersion: vmoperator.jdrupes.org/v1\nkind: VirtualMachine\nmetadata:\n  name: pc\n  ` +
    `namespace: vmop-dev\nspec:\n  image:\n    path: x\n  vm:\n    maximumCpus: 4\n  ` +
    `pools: ${pools}\n`
  t.match(await apply(broker, `${machine('[test-vms]')}---\n${SEED_POOL}`), {
    changes: [
      { object: 'pool/test-vms' },
      {
        object: 'machine/pc',
        action: 'change',
        fields: [{ field: 'pools', before: [], after: ['test-vms'] }],
      },
    ],
    warnings: [/only spec\.pools is taken; image, vm are left out/],
  })
  t.match((await show(broker, 'test-vms')).members, [
    { machine: 'pc', state: 'free', built: false },
  ])
  t.match(await apply(broker, machine('[test-vms]')), { changes: [{ action: 'none' }] })
  t.match(await apply(broker, machine('[]')), {
    changes: [{ action: 'change', fields: [{ before: ['test-vms'], after: [] }] }],
  })
  t.same((await show(broker, 'test-vms')).members, [])
  await t.rejects(apply(broker, machine('[nowhere]')), {
    code: 'not_found',
    message: /pc names the pool nowhere, which does not exist: describe it in the same file/,
  })
})

t.test('export and apply: nothing changes; on another broker the same comes of it', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'plain', 1)
  await broker.admin.post('/machines', {
    name: 'pc',
    type: 'simple',
    hypervisors: ['hv1'],
    diskGib: 1,
  })
  const policy = {
    max: 4,
    spares: 1,
    retention: 'P1DT2H',
    onRelease: 'rebuild',
    onExpiry: 'keep',
    coolDown: 'PT1H',
    disconnectGrace: 'PT2M',
    maxSession: 'PT8H',
    maxPerUser: 2,
    protocols: ['rdp', 'spice'],
    clipboard: false,
    fileTransfer: false,
    usb: false,
    loginOnAssignment: true,
    onShutdown: 'release',
    timeZone: 'Europe/Vilnius',
    schedule: [
      { cron: '0 7 * * 1-5', do: 'spares', spares: 3 },
      { cron: '0 20 * * *', do: 'stop', connected: 'warn' },
    ],
  }
  const { job } = await broker.admin.post<{ job: string }>('/pools', {
    name: 'full',
    namespace: 'school',
    from: 'golden-desktop',
    size: 2,
    hypervisors: ['hv2'],
    memoryMib: 512,
    vcpus: 3,
    network: 'bridge:br0',
    discardChanges: true,
    policy,
  })
  await broker.admin.succeeded(job)
  await broker.admin.post('/pools/full/members', { machine: 'pc' })
  await broker.admin.put('/grants', {
    kind: 'pool',
    object: 'full',
    subjectKind: 'user',
    subject: 'Žąsė@example.org',
    verbs: ['start', '*'],
  })
  await broker.admin.put('/grants', {
    kind: 'pool',
    object: 'full',
    subjectKind: 'role',
    subject: 'teachers',
    verbs: ['assign', 'takeConsole'],
  })
  const yaml = await exported(broker)
  const before = await atRest(broker)
  t.match(await apply(broker, yaml), {
    changes: [
      { object: 'pool/full', action: 'none' },
      { object: 'pool/plain', action: 'none' },
    ],
    jobs: [],
    warnings: [],
  })
  t.equal(await everything(broker), before, 'not even an event')
  t.match(
    parseAllDocuments(yaml).map((document) => document.toJS() as unknown),
    [
      {
        kind: 'Pool',
        metadata: { name: 'full', namespace: 'school' },
        spec: {
          from: 'golden-desktop',
          size: 2,
          hypervisors: ['hv2'],
          memoryMib: 512,
          members: ['pc'],
        },
      },
      { spec: { from: 'golden-desktop', size: 1 } },
    ],
  )
  const other = await office()
  t.teardown(async () => {
    await other.remove()
  })
  await other.admin.post('/machines', {
    name: 'pc',
    type: 'simple',
    hypervisors: ['hv1'],
    diskGib: 1,
  })
  for (const id of (await apply(other, yaml)).jobs) await other.admin.succeeded(id)
  t.equal(await exported(other), yaml)
  t.match((await show(other, 'full')).members, [
    { machine: 'full-1', hypervisor: 'hv2' },
    { machine: 'full-2', hypervisor: 'hv2' },
    { machine: 'pc' },
  ])
})

t.test('a change names each field; what a pool was made with stays, and is said', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'lab', 1)
  const yaml =
    'apiVersion: berth/v1\nkind: Pool\nmetadata:\n  name: LAB\n  namespace: other\nspec:\n  ' +
    'from: golden-desktop\n  size: 2\n  retention: PT4H\n  memoryMib: 4096\n  ' +
    'permissions:\n  - user: ann\n    may: [start]\n  - user: Ann\n    may: [release]\n'
  const dry = await apply(broker, yaml, true)
  t.match(dry, {
    jobs: [],
    changes: [
      {
        object: 'pool/LAB',
        action: 'change',
        fields: [
          { field: 'retention', before: 'PT1H', after: 'PT4H' },
          { field: 'size', before: 1, after: 2 },
          { field: 'permissions', before: [], after: [{ may: ['start', 'release'] }] },
        ],
      },
    ],
  })
  t.same(dry.warnings, [
    'The pool LAB stays with memoryMib as it was, not 4096: that is said when a pool is created.',
    'The pool LAB stays with namespace as it was, not other: that is said when a pool is created.',
  ])
  const { jobs } = await apply(broker, yaml)
  await broker.admin.succeeded(jobs[0] ?? '')
  t.match(await show(broker, 'lab'), {
    pool: { size: 2, policy: { retention: 'PT4H', min: 2 } },
    members: { length: 2 },
  })
  t.match(await apply(broker, yaml, true), { changes: [{ action: 'none' }] })
})

t.test('a dry run changes nothing, whatever it says', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await poolOf(broker, 'lab', 1)
  const before = await atRest(broker)
  const pool = (name: string, spec: string): string =>
    `apiVersion: berth/v1\nkind: Pool\nmetadata: { name: ${name} }\nspec: ${spec}\n`
  t.match(
    await apply(
      broker,
      [
        SEED_POOL,
        pool('lab', '{ size: 3, onRelease: rebuild, permissions: [{ role: user, may: [start] }] }'),
        pool('new', '{ from: golden-desktop, size: 5 }'),
      ].join('---\n'),
      true,
    ),
    { changes: [{ action: 'create' }, { action: 'change' }, { action: 'create' }], jobs: [] },
  )
  t.equal(await everything(broker), before)
})

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

t.test('two pools from one golden machine in one file are both built', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  broker.host('hv1').latencyMs = 20
  const { jobs } = await apply(
    broker,
    ['a', 'b', 'c']
      .map(
        (name) =>
          `apiVersion: berth/v1\nkind: Pool\nmetadata: { name: ${name} }\nspec: { from: golden-desktop, size: 1 }\n`,
      )
      .join('---\n'),
  )
  for (const job of jobs) await broker.admin.succeeded(job)
  t.equal(jobs.length, 3)
})
