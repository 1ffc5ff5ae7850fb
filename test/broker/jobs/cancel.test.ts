import t from 'tap'
import type { Job } from '../../../broker/api/jobs.js'
import { BERTH } from '../../../broker/audit/store.js'
import { brokenRules } from './invariants.js'
import { forget, LOOKS, type Moment, prepared, resume } from './recording.js'
import { LEFT_BY_DELETE, repeat } from './repeat.js'
import { type Scenario, SCENARIOS } from './scenarios.js'

t.setTimeout(480_000)

const AT_ONCE = 6
const UNDO = ['domain_undefine', 'image_remove']
/** What those do who look after the hosts, beside jobs; a job that was cancelled looks how far it has come. */
const OTHERS = new Set(['parts_remove', 'overlay_list', 'in_the_way'])
/** What a job may still begin after it was cancelled: its undo, and the end of what is of no use half-done. */
const GOES_ON: Readonly<Record<string, readonly string[]>> = {
  start: [],
  shutdown: [],
  redefine: [],
  import: [],
  define: UNDO,
  delete: UNDO,
  populate: ['define', 'image_remove'], // old images are collected
  copy: ['image_remove', 'overlay_create'],
}

interface Run {
  readonly job: Job
  readonly faults: string[]
  /** Whether there was such a call. */
  readonly cancelled: boolean
}

/** Cancels the job while the answer of its n-th call to a host is under way (0: at once). */
async function cancelledAt(scenario: Scenario, start: Moment, n: number): Promise<Run> {
  const { engine, hosts } = await resume(start)
  const later: string[] = []
  let calls = 0
  let cancelled = false
  let tell = (_job: string): void => {}
  const job = new Promise<string>((resolve) => {
    tell = resolve
  })
  const cancel = async (): Promise<void> => {
    await engine.jobs.cancel(await job, BERTH)
    cancelled = true
  }
  for (const host of hosts) {
    host.onCall = (call) => {
      if (cancelled && !LOOKS.has(call) && !OTHERS.has(call)) later.push(call)
    }
    host.holdAnswer = async (call) => {
      if (LOOKS.has(call)) return
      calls += 1
      if (calls === n) await cancel()
    }
  }
  tell(await scenario.wish(engine))
  if (n === 0) await cancel()
  const ended = await engine.ended(await job)
  for (const host of hosts) {
    host.onCall = () => {}
    host.holdAnswer = async () => {}
  }
  await engine.idle()
  await engine.collect()
  for (const host of hosts) await engine.observer.lookNow(host.name)
  const faults = cancelled
    ? [
        ...later
          .filter((call) => !(GOES_ON[scenario.name] ?? []).includes(call))
          .map((call) => `${call} was begun after the cancel`),
        ...judge(ended),
        ...(await brokenRules(engine.store, hosts)).filter(
          (fault) => scenario.kind !== 'delete' || !LEFT_BY_DELETE.test(fault),
        ),
        ...(scenario.name === 'start'
          ? ended.targets
              .filter(
                ({ name, state }) =>
                  (state === 'done') !== hosts.some((host) => host.domains.get(name)?.running),
              )
              .map(({ name, state }) => `${name} is said to be ${state}`)
          : []),
        ...(ended.state === 'succeeded'
          ? await scenario.faults(engine, hosts)
          : await repeat(engine, hosts, scenario)),
      ]
    : []
  await engine.remove()
  return { job: ended, cancelled, faults: faults.map((fault) => `at call ${n}: ${fault}`) }
}

/** Each target says what became of it, and the job says that it was cancelled unless all was done. */
function judge({ state, targets }: Job): string[] {
  const left = targets.filter((target) => target.state !== 'done' && target.state !== 'skipped')
  return [
    ...(left.length > 0 && state !== 'cancelled' ? [`the job says ${state}`] : []),
    ...left
      .filter((target) => target.state !== 'cancelled')
      .map((target) => `${target.name} says ${target.state}: ${target.message}`),
    ...left
      .filter((target) => target.message === '')
      .map((target) => `${target.name} says nothing of what was done`),
  ]
}

for (const scenario of SCENARIOS) {
  t.test(`${scenario.name}: cancelled at any step, it ends, and says what was done`, async (t) => {
    const start = await prepared(scenario)
    const faults: string[] = []
    let ended = 0
    for (let from = 0, more = true; more; from += AT_ONCE) {
      const runs = await Promise.all(
        Array.from(
          { length: AT_ONCE },
          async (_, index) => await cancelledAt(scenario, start, from + index),
        ),
      )
      faults.push(...runs.flatMap((run) => run.faults))
      ended += runs.filter(({ job }) => job.state === 'cancelled').length
      more = runs.every(({ cancelled }) => cancelled)
    }
    t.same(faults, [])
    t.ok(ended > 0, `${ended} were cancelled`)
    forget([start])
  })
}
