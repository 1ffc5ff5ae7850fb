import t, { type Test } from 'tap'
import type { PoolDetail } from '../../broker/api/pools.js'
import { office, show, untilMembers } from '../broker/pools/office.js'
import { addPerson } from '../support/people.js'
import { berthOf } from './pool-cli.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'

t.test('the walk of a small team: create, list, assign, release, delete', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const berth = berthOf(broker)
  t.match(await berth('pool list'), { code: 0, stdout: /There is no pool: berth pool create/ })
  t.match(await berth('pool create devpool --from golden-desktop --size 3'), {
    code: 0,
    stdout: /job \w+ \(pool-build devpool\): succeeded/,
  })
  t.equal(
    (await berth('pool list')).stdout,
    'devpool (3 members)\n  devpool-1  free  stopped\n  devpool-2  free  stopped\n  devpool-3  free  stopped\n',
  )
  t.match(await berth('assign devpool alice'), {
    code: 0,
    stdout: 'assigned devpool-1 -> alice\nconnect: berth connect devpool-1\n',
    stderr: /devpool-1: It is being started\./,
  })
  t.match(
    (await berth('pool list')).stdout,
    /^devpool \(3 members\)\n {2}devpool-1 {2}assigned to alice {2}running\n {2}devpool-2 {2}free {15}stopped\n/,
  )
  t.match(await berth('desktops'), { code: 0, stdout: /devpool-1 +devpool +alice +ready +running/ })
  t.match(await berth('desktops --mine -o json'), { code: 0, stdout: '{\n  "desktops": []\n}\n' })
  t.match(await berth('extend devpool-1'), { code: 0, stdout: /devpool-1 +devpool +alice/ })
  t.match(await berth('unassign devpool-1'), { code: 0, stdout: 'released devpool-1\n' })
  await untilMembers(broker, 'devpool', ['free off', 'free off', 'free off'])
  t.match(await berth('pool delete devpool'), {
    code: 2,
    stderr: /no terminal to ask on; give --yes/,
  })
  t.match(await berth('pool delete devpool --yes'), {
    code: 0,
    stdout: /pool-remove devpool\): succeeded/,
  })
  t.match(await berth('pool delete devpool --yes'), {
    code: 1,
    stderr: /no pool devpool: "berth pool list" shows all/,
  })
})

const EVERY_FIELD = [
  'pool',
  'create',
  'lab',
  '--from',
  'golden-desktop',
  '--size',
  '1',
  '--max',
  '4',
  '--spares',
  '1',
  '--retention',
  'PT4h',
  '--on-release',
  'rebuild',
  '--on-expiry',
  'keep',
  '--disconnect-grace',
  'PT2M',
  '--cool-down',
  'PT1H',
  '--max-session',
  'PT9H',
  '--max-per-user',
  '2',
  '--protocols',
  'rdp,spice',
  '--clipboard',
  'off',
  '--file-transfer',
  'off',
  '--usb',
  'off',
  '--login-on-assignment',
  'on',
  '--on-shutdown',
  'release',
  '--time-zone',
  'Europe/Vilnius',
  '--schedule',
  '0 7 * * 1-5 = spares 5',
  '--schedule',
  '0 20 * * * = stop warn',
  '--hypervisor',
  'hv2',
  '--memory',
  '1GiB',
  '--vcpus',
  '2',
  '--network',
  'none',
  '--discard-changes',
  '--namespace',
  'school',
]

t.test('every field of the policy, and what is wrong with one', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const berth = berthOf(broker)
  t.match(await berth(EVERY_FIELD), { code: 0 })
  const { pool, members } = await show(broker, 'lab')
  t.match(pool, {
    namespace: 'school',
    size: 1,
    policy: {
      min: 1,
      max: 4,
      spares: 1,
      retention: 'PT4h',
      onRelease: 'rebuild',
      onExpiry: 'keep',
      disconnectGrace: 'PT2M',
      coolDown: 'PT1H',
      maxSession: 'PT9H',
      maxPerUser: 2,
      protocols: ['rdp', 'spice'],
      clipboard: false,
      fileTransfer: false,
      usb: false,
      loginOnAssignment: true,
      onShutdown: 'release',
      timeZone: 'Europe/Vilnius',
      schedule: [
        { cron: '0 7 * * 1-5', do: 'spares', spares: 5 },
        { cron: '0 20 * * *', do: 'stop', connected: 'warn' },
      ],
    },
  })
  t.match(members, [{ machine: 'lab-1', hypervisor: 'hv2' }])
  await shownAndChanged(t, berth, broker)
  await faultsAreNamed(t, berth)
})

async function shownAndChanged(
  t: Test,
  berth: ReturnType<typeof berthOf>,
  broker: SimulatedBroker,
): Promise<void> {
  t.match((await berth('pool list')).stdout, /^lab \(ns\/school, 1 member\)\n/)
  t.match(await berth('pool set lab --max-session none --schedule none --usb on'), {
    code: 0,
    stderr: '',
  })
  t.match((await show(broker, 'lab')).pool.policy, {
    maxSession: null,
    schedule: [],
    usb: true,
    clipboard: false,
  })
  const shown = await berth('pool show lab')
  t.equal(shown.code, 0)
  const inThisOrder = [
    /retention: +PT4h\n/,
    /maxSession: +no limit\n/,
    /protocols: +rdp, spice\nclipboard: +off\n/,
    /schedule: +none\n/,
    /NAME +STATE +POWER/,
  ].map(({ source }) => source)
  t.match(shown.stdout, new RegExp(inThisOrder.join('[\\s\\S]*')))
  t.equal(shown.stdout.match(/^spares:/gm)?.length, 1)
  t.notMatch(shown.stdout, /\bnull\b|\[|true|false/)
  t.match(JSON.parse((await berth('pool show lab -o json')).stdout) as PoolDetail, {
    pool: { name: 'lab' },
    members: [{ machine: 'lab-1' }],
  })
}

async function faultsAreNamed(t: Test, berth: ReturnType<typeof berthOf>): Promise<void> {
  const faults: Array<[string[], number, RegExp]> = [
    [['--retention', '4 hours'], 1, /retention/],
    [['--spares', 'many'], 2, /whole number/],
    [['--usb', 'perhaps'], 2, /on, off/],
    [['--time-zone', 'Mars/Olympus'], 1, /timeZone .*is no time zone/],
    [['--schedule', 'sometimes'], 2, /0 7 \* \* 1-5/],
    [['--schedule', '61 7 * * * = start'], 1, /schedule\.0\.cron "61 7/],
    [['--min', '9', '--max', '3'], 1, /max is 3, less than min/],
    [[], 2, /Nothing to change/],
  ]
  for (const [words, code, stderr] of faults)
    t.match(
      await berth(['pool', 'set', 'lab', ...words]),
      { code, stderr, stdout: '' },
      words.join(' '),
    )
}

t.test('resize both ways, members by hand, maintenance, force', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const berth = berthOf(broker)
  await berth('pool create lab --from golden-desktop --size 2')
  t.match(await berth('pool resize lab 3'), { code: 0, stdout: /pool-build lab\): succeeded/ })
  await berth('assign lab bob --machine lab-3')
  t.match(await berth('assign lab carol --machine lab-3'), { code: 1, stderr: /bob/ })
  t.match(await berth('pool resize lab 0'), {
    code: 0,
    stderr: /1 more than wanted is assigned and goes when released; --force takes it now/,
    stdout: /members: +1 assigned/,
  })
  t.match(await berth('pool resize lab 0 --force'), { code: 0 })
  t.same((await show(broker, 'lab')).members, [])
  await broker.admin.post('/machines', {
    name: 'old-pc',
    type: 'simple',
    hypervisors: ['hv1'],
    diskGib: 1,
  })
  t.match(await berth('pool add lab old-pc'), { code: 0, stdout: /members: +1 free/ })
  t.match(await berth('pool add lab golden-desktop'), {
    code: 1,
    stderr: /source machine: only vdi and simple/,
  })
  t.match(await berth(['maintenance', 'on', 'pool/lab', '--reason', 'New chairs']), {
    code: 0,
    stdout: /maintenance: +on: New chairs/,
  })
  t.match(await berth('claim lab'), { code: 1, stderr: /lab is in maintenance: New chairs/ })
  t.match(await berth('pool maintenance off lab'), { code: 0, stdout: /maintenance: +off/ })
  t.match(await berth('claim lab'), {
    code: 0,
    stdout: /^old-pc is yours: .*\nconnect: berth connect old-pc\n/,
  })
  await takenAndAssignedByHand(t, berth, broker)
})

async function takenAndAssignedByHand(
  t: Test,
  berth: ReturnType<typeof berthOf>,
  broker: SimulatedBroker,
): Promise<void> {
  t.match(await berth('pool remove lab old-pc'), {
    code: 1,
    stderr: /release it first with "berth release old-pc"/,
  })
  t.match(await berth('rebuild old-pc --yes'), { code: 1, stderr: /made from no initial machine/ })
  t.match(await berth('pool delete lab --yes'), {
    code: 1,
    stderr: /old-pc \(admin\)\. Release them first, or use --force/,
  })
  t.match(await berth('release old-pc'), { code: 0 })
  t.match(await berth('pool remove lab old-pc'), { code: 0 })
  t.match(await berth('assign --machine old-pc dave'), {
    code: 0,
    stdout: /^assigned old-pc -> dave\n/,
    stderr:
      /Nobody called dave has logged in yet: it waits for the first who does by this name\. Is it spelled right\?/,
  })
  await addPerson(broker, 'dave')
  t.notMatch((await berth('assign --machine old-pc dave')).stderr, /Nobody called/)
  t.match(await berth('assign lab'), {
    code: 2,
    stderr: /berth assign POOL USER, or berth assign --machine MACHINE USER/,
  })
}
