import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  CHECKS,
  type CheckId,
  type CheckStarted,
  type Finding,
} from '../../../broker/api/checks.js'
import type { Job, JobList } from '../../../broker/api/jobs.js'
import { Authority } from '../../../broker/certificates/authority.js'
import { errorOf } from '../../../broker/hypervisors/helper-channel.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'

const berth = await SimulatedBroker.start()
await berth.addHypervisors()
t.teardown(async () => {
  await berth.remove()
})
const host = berth.host()
const pair = await (await Authority.open(join(berth.directory, 'data'))).issueServer(['10.0.0.1'])
host.certificate = { certificate: pair.certificate, ca: berth.ca }

async function checked(): Promise<Job> {
  const { job } = await berth.admin.post<CheckStarted>('/hypervisors/hv1/check')
  return await berth.admin.ended(job)
}
function findings(job: Job): Map<CheckId, Finding> {
  return new Map(
    job.targets.flatMap(({ name, finding }) =>
      finding ? [[name as CheckId, finding] as const] : [],
    ),
  )
}
const resultsOf = (job: Job): Record<string, string> =>
  Object.fromEntries([...findings(job)].map(([check, { result }]) => [check, result]))
const codesOf = (job: Job, check: CheckId): string[] =>
  findings(job)
    .get(check)
    ?.says.map(({ code }) => code) ?? []

t.afterEach(() => {
  host.barrier = null
  host.looks = {}
  if (host.link?.status().state !== 'up') host.link?.setUp(true)
})

t.test('a host in good order: every check says so, with what was seen', async (t) => {
  const job = await checked()
  t.match(job, {
    kind: 'check',
    subject: 'hv1',
    state: 'succeeded',
    done: CHECKS.length,
    total: CHECKS.length,
  })
  t.same(resultsOf(job), Object.fromEntries(CHECKS.map((check) => [check, 'ok'])))
  t.equal(findings(job).get('sshd')?.measured, 'MaxSessions 10, MaxStartups 10:30:100')
  t.same(host.journal.size, 0, 'nothing was ordered on the host')
})

t.test('its checks are found again by the hypervisor', async (t) => {
  const { jobs } = await berth.admin.get<JobList>('/jobs?kind=check&subject=hv1&limit=1')
  t.match(jobs, [{ kind: 'check', state: 'succeeded' }])
  t.same((await berth.admin.get<JobList>('/jobs?kind=check&subject=hv2')).jobs, [])
  await t.rejects(berth.admin.post('/hypervisors/hv9/check'), { code: 'not_found' })
})

t.test('a host that is away: where it ends is said, the rest is skipped', async (t) => {
  host.link?.setUp(false)
  const job = await checked()
  const [name, port, ...rest] = CHECKS
  t.same(resultsOf(job), {
    [name]: 'ok',
    [port]: 'failed',
    ...Object.fromEntries(rest.map((check) => [check, 'skipped'])),
  })
  t.match(findings(job).get('port'), {
    says: [
      { code: 'port-silent', sentence: '10.0.0.1 port 22 does not answer.', advice: /firewall/ },
    ],
  })
  t.equal(job.state, 'partly')
})

t.test('each way of not getting in has its own words', async (t) => {
  const cases = [
    [{ stage: 'name', fault: 'unknown', reason: '' }, 'name', 'name-unknown'],
    [{ stage: 'port', fault: 'refused', reason: '' }, 'port', 'port-refused'],
    [{ stage: 'host-key', fault: 'no-ssh', reason: 'it says HTTP.' }, 'host-key', 'no-ssh'],
    [{ stage: 'login', fault: 'refused', reason: '' }, 'login', 'login-refused'],
  ] as const
  for (const [barrier, check, code] of cases) {
    host.barrier = barrier
    const job = await checked()
    t.same(codesOf(job, check), [code])
    t.equal(resultsOf(job)['files'], 'skipped')
  }
})

t.test('a look that fails is a finding, and the others are made', async (t) => {
  host.looks = {
    libvirt: errorOf('hv1', { code: 'libvirt', message: 'libvirtd does not answer' }),
    sshd: errorOf('hv1', { code: 'not_found', message: 'There is no sshd.' }),
    account: null,
  }
  const job = await checked()
  t.same(codesOf(job, 'libvirt'), ['libvirt-silent'])
  t.same(codesOf(job, 'sshd'), ['cannot-look'])
  t.same(codesOf(job, 'account'), ['cannot-look'], 'also an answer of another form')
  t.equal(resultsOf(job)['images'], 'ok')
})

t.test('what lies about is named, and nothing is removed', async (t) => {
  host.images.set('old.g3.qcow2', null)
  host.overlays.set('gone.qcow2', 'old.g3.qcow2')
  const job = await checked()
  t.match(findings(job).get('files'), {
    result: 'warning',
    says: [
      { code: 'files-left', values: { count: '2', size: '384 KiB' }, sentence: /old\.g3\.qcow2/ },
    ],
  })
  t.equal(job.state, 'succeeded', 'a warning is no failure')
  t.ok(host.images.has('old.g3.qcow2') && host.overlays.has('gone.qcow2'))
  host.images.clear()
  host.overlays.clear()
})

t.test('domains: those of nobody, those that are missing, those that were changed', async (t) => {
  const { job } = await berth.admin.post<{ job: string }>('/machines', {
    name: 'pc-{n}',
    count: 3,
    type: 'simple',
    hypervisors: ['hv1'],
  })
  await berth.admin.ended(job)
  t.same(
    resultsOf(await checked())['definitions'],
    'ok',
    'what Berth defines is what it then finds',
  )
  const xml = host.domains.get('pc-1')?.xml ?? ''
  host.domains.set('stray', {
    uuid: 'c0ffee00-0000-4000-8000-000000000009',
    running: false,
    boots: 0,
    disk: null,
    destroyOnReboot: false,
    ticket: null,
    xml,
  })
  const changed = host.domains.get('pc-2')
  if (changed) changed.xml = changed.xml.replace(/<vcpu>\d+<\/vcpu>/, '<vcpu>9</vcpu>')
  host.domains.delete('pc-3')
  const found = await checked()
  t.same(codesOf(found, 'domains'), ['domains-left', 'domains-missing'])
  t.match(
    findings(found)
      .get('domains')
      ?.says.map(({ sentence }) => sentence)
      .join(' '),
    /stray.*pc-3/,
  )
  t.match(findings(found).get('definitions'), {
    result: 'warning',
    says: [{ values: { names: 'pc-2 (vcpus)' } }],
  })
  t.ok(codesOf(found, 'networks').includes('networks-twins'), 'the stray one has the MAC of pc-1')
  t.match(
    findings(found)
      .get('networks')
      ?.says.find(({ code }) => code === 'networks-twins'),
    { values: { count: '2', names: /pc-1 \(.*stray \(/ } },
  )
})

t.test('a second wish while it runs is the same check; nobody else may ask', async (t) => {
  host.latencyMs = 20
  const first = await berth.admin.post<CheckStarted>('/hypervisors/hv1/check')
  const second = await berth.admin.post<CheckStarted>('/hypervisors/hv1/check')
  t.equal(second.job, first.job)
  host.latencyMs = 0
  await berth.admin.ended(first.job)
  t.not((await berth.admin.post<CheckStarted>('/hypervisors/hv1/check')).job, first.job)
  await t.rejects(berth.anybody.post('/hypervisors/hv1/check'), { code: 'unauthenticated' })
})

t.test('what was found before a restart stands, and the rest is looked at after it', async (t) => {
  host.latencyMs = 30
  const { job } = await berth.admin.post<CheckStarted>('/hypervisors/hv1/check')
  const seen = await until(
    async () => {
      const now = findings(await berth.admin.get<Job>(`/jobs/${job}`))
      return now.size > 5 ? now : null
    },
    { withinMs: 5_000, everyMs: 5, what: 'some checks are made' },
  )
  await berth.stop()
  host.latencyMs = 0
  await berth.start()
  const ended = await berth.admin.ended(job)
  t.equal(findings(ended).size, CHECKS.length)
  for (const [check, finding] of seen) t.same(findings(ended).get(check), finding)
})

t.test('nothing secret is told', async (t) => {
  const text = JSON.stringify(await checked())
  const key =
    readFileSync(join(berth.directory, 'data', 'ssh-key.pub'), 'utf8').split(' ')[1] ?? 'none'
  t.notMatch(text, key)
  t.notMatch(text, /BEGIN/)
})
