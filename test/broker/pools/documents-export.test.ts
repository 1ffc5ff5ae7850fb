import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { office, poolOf, show } from './office.js'
import { apply, atRest, everything, exported } from './documents.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'

const POLICY = {
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
  await makeFullPool(broker)
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
  await anotherBrokerHasTheSame(t, yaml)
})

async function makeFullPool(broker: SimulatedBroker): Promise<void> {
  await broker.admin.done('/pools', {
    name: 'full',
    namespace: 'school',
    from: 'golden-desktop',
    size: 2,
    hypervisors: ['hv2'],
    memoryMib: 512,
    vcpus: 3,
    network: 'bridge:br0',
    discardChanges: true,
    policy: POLICY,
  })
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
}

async function anotherBrokerHasTheSame(t: Test, yaml: string): Promise<void> {
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
}

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
