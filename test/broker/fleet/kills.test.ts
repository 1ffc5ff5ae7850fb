import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { ClaimAnswer, Desktop } from '../../../broker/api/assignments.js'
import type { Job, JobList } from '../../../broker/api/jobs.js'
import { JOB_ENDED } from '../../../broker/api/jobs.js'
import type { Machine, MachineList } from '../../../broker/api/machines.js'
import type { PoolDetail } from '../../../broker/api/pools.js'
import { ApiClient } from '../../support/api-client.js'
import { BerthOnFleet, IMAGES, OVERLAYS, SMALL } from '../../support/berth-on-fleet.js'
import { randomMoment } from '../../support/random-moment.js'
import { until } from '../../support/until.js'

/*
 * The broker is killed (SIGKILL) at random moments of populates and claims, on a real host with a
 * foreign domain and foreign files. BERTH_KILLS=N kills it N times in each (default 4). Nothing may
 * be lost, doubled or touched.
 */

const KILLS = Number(process.env['BERTH_KILLS'] ?? 4)
t.setTimeout(120_000 + KILLS * 40_000)
const berth = await BerthOnFleet.start({
  hosts: 1,
  name: 'kills',
  settings: { 'shutdown-timeout': 'PT2S' },
})
t.teardown(async () => {
  await berth.stop()
})
const host = berth.host(1)
const MACHINES = ['pc-1', 'pc-2', 'pc-3', 'pc-4']
const PEOPLE = ['ann', 'ben', 'cleo']
const FOREIGN = [
  `${IMAGES}/payroll.qcow2`,
  `${OVERLAYS}/payroll.qcow2`,
  `${OVERLAYS}/pc-1.qcow2.bak`,
]
const counted = { populates: 0, claims: 0, answered: 0, lost: 0, doubled: 0, touched: 0 }

async function foreign(): Promise<string> {
  return [
    await host.mustRun(['virsh', 'dumpxml', '--inactive', '--security-info', 'payroll']),
    await host.mustRun(['virsh', 'domstate', 'payroll']),
    await host.mustRun(['sha256sum', '--', ...FOREIGN]),
    await host.mustRun(['stat', '-c', '%n %i %s %a %U %Y', '--', ...FOREIGN]),
  ].join('\n')
}

async function putForeign(): Promise<string> {
  const xml = `<domain type='qemu'><name>payroll</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
<source file='${IMAGES}/payroll.qcow2'/><target dev='vda' bus='virtio'/></disk></devices></domain>`
  for (const file of FOREIGN)
    await host.mustRun(['qemu-img', 'create', '-q', '-f', 'qcow2', file, '1M'])
  await host.mustRun(['tee', '/tmp/payroll.xml'], { input: xml })
  await host.mustRun(['virsh', 'define', '/tmp/payroll.xml'])
  return await foreign()
}

/**
 * At a random moment within so many milliseconds; then it is started again, and everything it had
 * begun comes to an end.
 */
async function killWithin(ms: number): Promise<void> {
  await randomMoment(ms)
  await berth.broker.kill()
  await berth.restartBroker()
  await berth.untilHypervisor(host.name, 'up')
  await until(
    async () =>
      (await berth.api.get<JobList>('/jobs?limit=100')).jobs.every(({ state }) =>
        JOB_ENDED.includes(state),
      ),
    { withinMs: 120_000, what: 'all jobs have ended' },
  )
}

/** Each machine has one domain, with its UUID, and one overlay, on the generation that the database says. */
async function faultsOnHost(): Promise<string[]> {
  const { machines } = await berth.api.get<MachineList>('/machines?parent=base')
  const listed = (await host.mustRun(['virsh', 'list', '--all', '--name', '--uuid'])).split('\n')
  const faults: string[] = []
  for (const name of MACHINES) {
    const known: Machine[] = machines.filter((machine) => machine.name === name)
    const domains = listed.filter((line) => line.trim().endsWith(` ${name}`))
    if (known.length !== 1 || domains.length < 1) faults.push(`lost: ${name}`)
    if (known.length > 1 || domains.length > 1) faults.push(`doubled: ${name}`)
    if (known[0] && domains[0] && !domains[0].includes(known[0].id))
      faults.push(`lost: ${name} is another domain`)
    const info = await host.run(['qemu-img', 'info', '-U', `${OVERLAYS}/${name}.qcow2`])
    if (!info.stdout.includes(`/base.${known[0]?.generation ?? 'none'}.qcow2`))
      faults.push(`lost: the disk of ${name} does not stand on ${known[0]?.generation ?? 'none'}`)
  }
  return faults
}

function count(faults: readonly string[]): void {
  counted.lost += faults.filter((fault) => fault.startsWith('lost')).length
  counted.doubled += faults.filter((fault) => fault.startsWith('doubled')).length
}

let before = ''
const people = new Map<string, { password: string; api: ApiClient }>()

async function login(name: string, password: string): Promise<ApiClient> {
  const { token } = await berth.api.post<{ token: string }>('/login', { name, password })
  return new ApiClient(berth.broker.url, berth.broker.ca, token)
}

t.test('a source, its machines, a pool, and what is of others', async () => {
  await berth.makeSource('golden', 'one')
  const more = { hypervisors: [host.name], ...SMALL }
  await berth.create({ name: 'base', type: 'initial', parent: 'golden', ...more })
  await berth.create({ name: 'pc-{n}', count: 4, type: 'vdi', parent: 'base', ...more })
  await berth.copy('base')
  await berth.populate('base')
  await berth.api.done('/pools', {
    name: 'desks',
    from: 'golden',
    size: PEOPLE.length,
    policy: {},
  })
  await berth.api.put('/grants', {
    kind: 'pool',
    object: 'desks',
    subjectKind: 'role',
    subject: 'user',
    verbs: ['start', 'accessConsole', 'release'],
  })
  for (const name of PEOPLE) {
    const password = randomBytes(12).toString('hex')
    await berth.api.post('/users', { name, password })
    people.set(name, { password, api: await login(name, password) })
  }
  before = await putForeign()
})

t.test(`${KILLS} populates, each killed at a random moment`, async (t) => {
  for (let round = 1; round <= KILLS; round += 1) {
    const { job } = await berth.api.post<{ job: string }>('/machines/base/populate', {})
    await killWithin(1_500)
    counted.populates += 1
    const { state, targets } = await berth.api.get<Job>(`/jobs/${job}`)
    t.equal(state, 'succeeded', JSON.stringify(targets.filter((one) => one.state !== 'done')))
    const faults = await faultsOnHost()
    count(faults)
    t.same(faults, [], `round ${round}`)
    if ((await foreign()) !== before) counted.touched += 1
  }
})

t.test(`${KILLS} claims by three people at once, each killed at a random moment`, async (t) => {
  for (let round = 1; round <= KILLS; round += 1) {
    const answers = new Map<string, string>()
    const claims = [...people].map(async ([name, { api }]) => {
      const { desktop } = await api.post<ClaimAnswer>('/pools/desks/claim', { wait: true })
      if (desktop) answers.set(name, desktop.machine)
    })
    const asked = Promise.allSettled(claims)
    await killWithin(600)
    await asked
    counted.claims += 1
    counted.answered += answers.size
    const { desktops } = await berth.api.get<{ desktops: Desktop[] }>('/desktops')
    const faults = faultsOf(desktops, answers)
    count(faults)
    t.same(faults, [], `round ${round}: ${answers.size} had an answer`)
    // Who was not answered asks again, and has one desktop, his own if there was one.
    for (const [name, { api }] of people) {
      const { desktop } = await api.post<ClaimAnswer>('/pools/desks/claim', { wait: true })
      const had = desktops.find(({ holder }) => holder === name)
      if (!desktop) counted.lost += 1
      else if (had && had.machine !== desktop.machine) counted.doubled += 1
    }
    if ((await foreign()) !== before) counted.touched += 1
    await giveBack()
  }
})

/** An answer that was given holds, nobody has two, and no machine is two people's. */
function faultsOf(desktops: readonly Desktop[], answers: ReadonlyMap<string, string>): string[] {
  const holders = desktops.map(({ holder }) => holder)
  const machines = desktops.map(({ machine }) => machine)
  return [
    ...[...answers]
      .filter(
        ([name, machine]) =>
          !desktops.some((one) => one.holder === name && one.machine === machine),
      )
      .map(([name, machine]) => `lost: ${machine} of ${name}`),
    ...[...holders, ...machines]
      .filter((one, index, all) => all.indexOf(one) !== index)
      .map((one) => `doubled: ${String(one)}`),
  ]
}

async function giveBack(): Promise<void> {
  const { desktops } = await berth.api.get<{ desktops: Desktop[] }>('/desktops')
  for (const { machine } of desktops)
    await berth.api.post(`/machines/${machine}/release`, { force: true })
  await until(
    async () => {
      const { members } = await berth.api.get<PoolDetail>('/pools/desks')
      const others = members.filter(({ state }) => state !== 'free')
      if (others.length > 0) throw new Error(JSON.stringify(others))
      return members.length === PEOPLE.length
    },
    { withinMs: 90_000, what: 'all desktops are free again' },
  )
}

t.test('0 lost, 0 doubled, 0 touched', async (t) => {
  t.comment(JSON.stringify(counted))
  t.match(counted, { lost: 0, doubled: 0, touched: 0 })
  t.equal(await foreign(), before)
})
