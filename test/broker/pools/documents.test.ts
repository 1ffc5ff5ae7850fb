import t, { type Test } from 'tap'
import { office, poolOf, show } from './office.js'
import { apply, atRest, everything, SEED_MACHINE, SEED_POOL } from './documents.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'

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
    await badRolesAreRefused(t, broker)
  },
)

async function badRolesAreRefused(t: Test, broker: SimulatedBroker): Promise<void> {
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
}

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
