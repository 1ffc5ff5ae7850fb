import t from 'tap'
import { JOB_STATES, type JobState } from '../../../broker/api/jobs.js'
import { BERTH } from '../../../broker/audit/store.js'
import { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { enterState } from '../../../broker/jobs/store.js'
import { Engine } from '../../support/simulated-engine.js'
import { brokenRules } from './invariants.js'
import { type Moment, forget, prepared, resume, watchMoments, watchNothing } from './recording.js'
import { makeWorld, type Scenario, SCENARIOS } from './scenarios.js'

t.setTimeout(120_000)

function scenario(name: string): Scenario {
  const found = SCENARIOS.find((one) => one.name === name)
  if (!found) throw new Error(`there is no scenario ${name}`)
  return found
}

t.test('a job changes its state only as the table says', async (t) => {
  const allowed: Readonly<Record<JobState, readonly JobState[]>> = {
    queued: ['running', 'cancelling'],
    running: ['running', 'cancelling', 'succeeded', 'partly', 'failed'],
    cancelling: ['cancelling', 'succeeded', 'partly', 'failed', 'cancelled'],
    succeeded: [],
    partly: [],
    failed: [],
    cancelled: [],
  }
  const engine = await Engine.start({ hosts: [] })
  await engine.jobs.stop() // nobody takes these jobs
  for (const from of JOB_STATES) {
    for (const to of JOB_STATES) {
      if (to === 'queued') continue // no job is queued again
      const id = `${from}-${to}`
      await engine.store
        .insertInto('job')
        .values({
          id,
          kind: 'power',
          subject: 'x',
          state: from,
          input: '{}',
          created_by: 'test',
          owner: null,
          lease_until: null,
          created_at: 1,
          started_at: null,
          finished_at: null,
        })
        .execute()
      t.equal(
        await enterState(engine.store, id, to),
        allowed[from].includes(to),
        `${from} to ${to}`,
      )
      const { state } = await engine.store
        .selectFrom('job')
        .select('state')
        .where('id', '=', id)
        .executeTakeFirstOrThrow()
      t.equal(state, allowed[from].includes(to) ? to : from)
    }
  }
  await engine.remove()
})

t.test(
  'a job that is cancelled as soon as it is made takes back what its creation reserved',
  async (t) => {
    const engine = await makeWorld()
    for (const wish of ['copy', 'populate', 'define'] as const) {
      const job = await scenario(wish).wish(engine)
      await engine.jobs.cancel(job, BERTH)
      const ended = await engine.ended(job)
      t.equal(ended.state, 'cancelled', wish)
      t.notOk(ended.targets.some((target) => ['pending', 'running'].includes(target.state)))
      await t.rejects(engine.jobs.cancel(job, BERTH), { code: 'job_finished' })
    }
    t.same(await brokenRules(engine.store, engine.options.hosts), [])
    await engine.remove()
  },
)

t.test('a cancel at any moment of a living job ends it and leaves nothing half-made', async (t) => {
  for (const name of ['copy', 'populate', 'define']) {
    const start = await prepared(scenario(name))
    const labels = await labelsOf(scenario(name), start)
    const faults: string[] = []
    for (const label of labels) faults.push(...(await cancelAt(scenario(name), start, label)))
    t.same(faults, [], name)
    forget([start])
  }
})

async function labelsOf(one: Scenario, start: Moment): Promise<string[]> {
  const { engine, hosts } = await resume(start)
  const labels: string[] = []
  watchMoments(engine, hosts, {
    at: (label) => {
      labels.push(label)
    },
  })
  await engine.succeeded(await one.wish(engine))
  watchNothing(engine, hosts)
  await engine.remove()
  return labels
}

async function cancelAt(one: Scenario, start: Moment, wanted: string): Promise<string[]> {
  const { engine, hosts } = await resume(start)
  let cancelled: Promise<unknown> | undefined
  let job = ''
  watchMoments(engine, hosts, {
    at: (label) => {
      if (label === wanted) cancelled = engine.jobs.cancel(job, BERTH).catch(() => {})
    },
  })
  for (const host of hosts) host.latencyMs = 2 // so that the cancel comes while the host still works
  job = await one.wish(engine)
  const { state } = await engine.ended(job)
  await cancelled
  watchNothing(engine, hosts)
  for (const host of hosts) await engine.observer.lookNow(host.name)
  const faults = await brokenRules(engine.store, hosts)
  if (!['cancelled', 'succeeded'].includes(state)) faults.push(`it ${state}`)
  await engine.remove()
  return faults.map((fault) => `cancelled at ${wanted}: ${fault}`)
}

t.test('jobs side by side on one host do not fence each other off', async (t) => {
  const hosts = [new SimulatedHost('hv1'), new SimulatedHost('hv2')]
  const engine = await makeWorld(hosts)
  for (const host of hosts) host.latencyMs = 5
  const jobs = await Promise.all([
    engine.images.copy('gold', undefined, BERTH),
    scenario('define').wish(engine),
  ])
  for (const job of jobs) t.match(await engine.ended(job), { state: 'succeeded' })
  await engine.remove()
})

t.test(
  'a broker with a new database is not taken for an older one by a host that knows Berth',
  async (t) => {
    const hosts = [new SimulatedHost('hv1'), new SimulatedHost('hv2')]
    await (await makeWorld(hosts)).remove()
    const fence = hosts[0]?.fence ?? 0
    for (const host of hosts) {
      host.domains.clear()
      host.overlays.clear()
      host.images.clear()
    }
    const engine = await makeWorld(hosts)
    t.ok((hosts[0]?.fence ?? 0) >= fence)
    await engine.remove()
  },
)

t.test('a second job on a machine is refused with the name of the first', async (t) => {
  const engine = await makeWorld()
  for (const host of engine.options.hosts) host.latencyMs = 30
  const job = await engine.images.populate('gold', {}, BERTH)
  const { machines, images } = engine
  const wishes: ReadonlyArray<() => Promise<unknown>> = [
    async () => await images.populate('gold', {}, BERTH),
    async () => await images.copy('gold', undefined, BERTH),
    async () => await machines.power('pc-1', { action: 'start' }, BERTH),
    async () => await machines.power('pc-1', { action: 'poweroff' }, BERTH),
    async () => await machines.remove('gold', true, BERTH),
    async () => await machines.change('pc-1', { vcpus: 1 }, BERTH),
    async () => await machines.setDiscardChanges('gold', { on: true, children: true }, BERTH),
  ]
  // All at once: several of them first ask the hosts, and one after the other they would outlast the job.
  await Promise.all(
    wishes.map(async (wish) => await t.rejects(wish(), { code: 'busy', message: new RegExp(job) })),
  )
  await engine.succeeded(job)
  t.same(await brokenRules(engine.store, engine.options.hosts), [])
  await engine.remove()
})

t.test('stop leaves a running job as a crash would; the next start ends it', async (t) => {
  const start = await prepared(scenario('populate'))
  const { engine, hosts } = await resume(start)
  for (const host of hosts) host.latencyMs = 20
  const job = await scenario('populate').wish(engine)
  await new Promise<void>((resolve) => {
    engine.hook = ({ when }) => {
      if (when === 'after') resolve()
    }
  })
  await engine.stop()
  for (const host of hosts) host.latencyMs = 0
  const next = await Engine.start({ hosts, directory: engine.directory })
  await next.succeeded(job)
  t.same(
    [
      ...(await brokenRules(next.store, hosts)),
      ...(await scenario('populate').faults(next, hosts)),
    ],
    [],
  )
  await next.remove()
  forget([start])
})
