import t from 'tap'
import type { Job, JobList } from '../../../broker/api/jobs.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { office, poolOf, show } from '../pools/office.js'
import { LOOKS } from './recording.js'

/* Jobs that give work to other jobs, and one that only looks; and starts that wait for their turn. */

t.setTimeout(480_000)
const soon = { withinMs: 30_000, everyMs: 20 }

async function place(test: {
  teardown: (act: () => Promise<void>) => void
}): Promise<SimulatedBroker> {
  const broker = await office({ hosts: 1 })
  test.teardown(async () => {
    await broker.remove()
  })
  return broker
}

/** Cancels the newest job of a kind while the n-th call to the host is being answered. */
function cancelAt(broker: SimulatedBroker, kind: string, n: number, also = ''): void {
  let calls = 0
  broker.host().holdAnswer = async (call) => {
    if (LOOKS.has(call) && call !== also) return
    calls += 1
    if (calls === n) await broker.admin.post(`/jobs/${await newest(broker, kind)}/cancel`)
  }
}
async function newest(broker: SimulatedBroker, kind: string): Promise<string> {
  const [job] = (await broker.admin.get<JobList>(`/jobs?kind=${kind}&limit=1`)).jobs
  if (!job) throw new Error(`there is no job of the kind ${kind}`)
  return job.id
}
async function allEnded(broker: SimulatedBroker): Promise<void> {
  await until(
    async () => (await broker.rows('SELECT 1 FROM job WHERE finished_at IS NULL')).length === 0,
    {
      ...soon,
      what: 'all jobs have ended',
    },
  )
  broker.host().holdAnswer = async () => {}
}
const speaks = (test: { ok: (it: boolean, what: string) => unknown }, job: Job): void => {
  for (const target of job.targets.filter(({ state }) => state === 'cancelled'))
    test.ok(target.message !== '', `${target.name} says what was done: ${target.message}`)
}
const states = async (broker: SimulatedBroker): Promise<string> =>
  (await show(broker, 'p')).members.map(({ state }) => state).join()

t.test('pool-build: cancelled at any step, it ends, and a later one makes the rest', async (t) => {
  for (const n of [1, 2, 3, 4, 6, 8]) {
    const broker = await place(t)
    cancelAt(broker, 'pool-build', n)
    const { job } = await broker.admin.post<{ job: string }>('/pools', {
      name: 'p',
      from: 'golden-desktop',
      size: 2,
    })
    const ended = await broker.admin.ended(job)
    await allEnded(broker)
    t.match(ended.state, /^(cancelled|succeeded)$/, `call ${n}: ${ended.message}`)
    speaks(t, ended)
    t.same(await broker.rows('SELECT * FROM job_lock'), [])
    await broker.run('UPDATE pool SET retry_at = 0')
    await until(async () => (await states(broker)) === 'free,free', {
      ...soon,
      what: `the pool is whole after a cancel at call ${n}`,
    })
    await broker.stop()
  }
})

t.test('pool-remove: cancelled at any step, no desktop stays half-deleted', async (t) => {
  for (const n of [1, 2, 3]) {
    const broker = await place(t)
    await poolOf(broker, 'p', 3)
    cancelAt(broker, 'pool-remove', n)
    await broker.admin.patch('/pools/p', { size: 1 })
    const job = await until(async () => await newest(broker, 'pool-remove'), {
      ...soon,
      what: 'two are being removed',
    })
    const ended = await broker.admin.ended(job)
    await allEnded(broker)
    t.match(ended.state, /^(cancelled|succeeded)$/, `call ${n}: ${ended.message}`)
    speaks(t, ended)
    t.notMatch(await states(broker), /deleting/)
    await until(async () => (await states(broker)) === 'free', {
      ...soon,
      what: `the pool is as small as it is to be after a cancel at call ${n}`,
    })
    await broker.stop()
  }
})

t.test('check: cancelled at any look, the others are not made', async (t) => {
  const broker = await place(t)
  for (const n of [1, 4, 8]) {
    cancelAt(broker, 'check', n)
    const { job } = await broker.admin.post<{ job: string }>('/hypervisors/hv1/check')
    const ended = await broker.admin.ended(job)
    t.equal(ended.state, 'cancelled')
    t.ok(ended.targets.some(({ state }) => state === 'cancelled'))
    speaks(t, ended)
    await allEnded(broker)
  }
})

t.test('a check whose look hangs is cancelled at once', async (t) => {
  const broker = await place(t)
  let answer = (): void => {}
  const held = new Promise<void>((resolve) => {
    answer = resolve
  })
  broker.host().holdAnswer = async (call) => {
    if (call === 'host_look') await held
  }
  const { job } = await broker.admin.post<{ job: string }>('/hypervisors/hv1/check')
  await until(
    async () =>
      (await broker.admin.get<Job>(`/jobs/${job}`)).targets.some(
        ({ state }) => state === 'running',
      ),
    { ...soon, what: 'a look hangs' },
  )
  await broker.admin.post(`/jobs/${job}/cancel`)
  t.equal((await broker.admin.ended(job)).state, 'cancelled')
  answer()
})

t.test('starts that wait for their turn never begin', async (t) => {
  const broker = await place(t)
  await broker.admin.done('/machines', {
    name: 'pc-{n}',
    count: 12,
    type: 'simple',
    hypervisors: ['hv1'],
    network: 'none',
    diskGib: 1,
  })
  await broker.admin.post('/machines', {
    name: 'base',
    type: 'initial',
    parent: 'golden-desktop',
    hypervisors: ['hv1'],
  })
  const started: string[] = []
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  broker.host().holdAnswer = async (call) => {
    if (call !== 'start') return
    started.push(call)
    await held
  }
  const jobs = await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const { job } = await broker.admin.post<{ job: string }>(`/machines/pc-${index + 1}/power`, {
        action: 'start',
      })
      return job
    }),
  )
  await until(() => started.length === 2, { ...soon, what: 'two are being started' })
  for (const job of jobs) await broker.admin.post(`/jobs/${job}/cancel`)
  const early = await until(
    async () => {
      const ended = (
        await Promise.all(jobs.map(async (id) => await broker.admin.get<Job>(`/jobs/${id}`)))
      ).filter(({ state }) => state === 'cancelled')
      return ended.length === 10 ? ended : null
    },
    { ...soon, what: 'those that waited have ended before the others' },
  )
  for (const job of early) speaks(t, job)
  release()
  for (const job of jobs) await broker.admin.ended(job)
  t.equal(started.length, 2)
  t.equal([...broker.host().domains.values()].filter(({ running }) => running).length, 2)
})

t.test('of many new machines on a slow host few are begun, and these are soon gone', async (t) => {
  const broker = await place(t)
  await broker.admin.done('/machines', {
    name: 'kept',
    type: 'simple',
    hypervisors: ['hv1'],
    diskGib: 1,
  })
  const host = broker.host()
  const before = { domains: [...host.domains.keys()], images: [...host.images.keys()] }
  host.latencyMs = 400
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  host.holdAnswer = async (call) => {
    if (call === 'image_create') await held
  }
  let begun = 0
  let atOnce = 0
  let most = 0
  host.onCall = (call) => {
    if (call === 'image_create') begun += 1
    if (call === 'domain_undefine') most = Math.max(most, ++atOnce)
  }
  host.onAnswer = (call) => {
    if (call === 'domain_undefine') atOnce -= 1
  }
  const { job } = await broker.admin.post<{ job: string }>('/machines', {
    name: 'slow-{n}',
    count: 60,
    type: 'simple',
    hypervisors: ['hv1'],
    diskGib: 1,
  })
  await until(() => begun > 0, { ...soon, what: 'the first are begun' })
  await broker.admin.post(`/jobs/${job}/cancel`)
  const cancelledMs = performance.now()
  release()
  const ended = await broker.admin.ended(job)
  const tookMs = performance.now() - cancelledMs
  host.latencyMs = 0
  t.equal(ended.state, 'cancelled')
  speaks(t, ended)
  t.ok(begun < 30, `${begun} of 60 were begun`)
  t.ok(most > 1 && most <= 8, `${most} were taken back at a time`)
  t.ok(tookMs < 12_000, `it ended after ${Math.round(tookMs)} ms`)
  t.same({ domains: [...host.domains.keys()], images: [...host.images.keys()] }, before)
  t.same(await broker.rows('SELECT * FROM leftover'), [])
})
