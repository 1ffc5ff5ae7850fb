import Database from 'better-sqlite3'
import { join } from 'node:path'
import t from 'tap'
import { JOB_ENDED } from '../../../broker/api/jobs.js'
import { brokenRules } from './invariants.js'
import {
  forget,
  type Moment,
  momentOf,
  prepared,
  resume,
  watchMoments,
  watchNothing,
} from './recording.js'
import { type Scenario, SCENARIOS } from './scenarios.js'

t.setTimeout(240_000)

/** Runs the scenario's job once and keeps what a crash would have left at each moment. */
async function record(scenario: Scenario): Promise<{ job: string; moments: Moment[] }> {
  const start = await prepared(scenario)
  const { engine, hosts } = await resume(start)
  const moments: Moment[] = []
  watchMoments(engine, hosts, {
    at: (label) => {
      moments.push(momentOf(engine, hosts, label))
    },
  })
  const job = await scenario.wish(engine)
  await engine.succeeded(job)
  await engine.remove()
  // A look at a host may come before the job is ordered.
  const before = moments.filter((moment) => !hasJob(moment.directory, job))
  forget([start, ...before])
  return { job, moments: moments.filter((moment) => !before.includes(moment)) }
}

function hasJob(directory: string, job: string): boolean {
  const database = new Database(join(directory, 'berth.sqlite'))
  const found = database.prepare('SELECT 1 FROM job WHERE id = ?').get(job)
  database.close()
  return found !== undefined
}

/** What goes wrong when a broker takes over at this moment; nothing is the aim. */
async function takeOver(
  moment: Moment,
  job: string,
  scenario: Scenario,
  change: 'none' | 'host journal lost' | 'cancelled',
): Promise<string[]> {
  if (change === 'cancelled') setState(moment.directory, job, 'cancelling')
  if (change === 'host journal lost') for (const host of moment.hosts) host.journal.clear()
  const { engine, hosts } = await resume(moment)
  try {
    const { state, message, targets } = await engine.ended(job)
    if (!JOB_ENDED.includes(state)) return [`it is ${state}`]
    await engine.idle()
    for (const host of hosts) await engine.observer.lookNow(host.name)
    const wanted = change === 'cancelled' ? ['cancelled', 'succeeded'] : ['succeeded']
    const faults = [
      ...(wanted.includes(state)
        ? []
        : [`it ${state}: ${message} ${targets.map((target) => target.message).join(' ')}`]),
      ...(await brokenRules(engine.store, hosts)),
    ]
    if (state === 'succeeded') return [...faults, ...(await scenario.faults(engine, hosts))]
    return [...faults, ...(await repeat(engine, hosts, scenario))]
  } finally {
    watchNothing(engine, hosts)
    await engine.remove()
  }
}

/** The same wish once more, after a cancel: it converges. */
async function repeat(
  engine: Parameters<Scenario['wish']>[0],
  hosts: Parameters<Scenario['faults']>[1],
  scenario: Scenario,
): Promise<string[]> {
  try {
    await engine.succeeded(await scenario.wish(engine))
  } catch (error) {
    const done = (await scenario.faults(engine, hosts)).length === 0 // everything was done before the cancel came
    if (!done) return [`repeated: ${error instanceof Error ? error.message : String(error)}`]
  }
  for (const host of hosts) await engine.observer.lookNow(host.name)
  return [
    ...(await brokenRules(engine.store, hosts)),
    ...(await scenario.faults(engine, hosts)),
  ].map((fault) => `repeated: ${fault}`)
}

function setState(directory: string, job: string, state: string): void {
  const database = new Database(join(directory, 'berth.sqlite'))
  database.prepare('UPDATE job SET state = ? WHERE id = ? AND finished_at IS NULL').run(state, job)
  database.close()
}

for (const scenario of SCENARIOS) {
  t.test(
    `${scenario.name}: a broker that crashes at any moment is followed by one that ends the job`,
    async (t) => {
      const { job, moments } = await record(scenario)
      t.ok(moments.length >= 4, `${moments.length} moments`)
      for (const change of ['none', 'host journal lost', 'cancelled'] as const) {
        const faults: string[] = []
        // what the host remembers makes no difference but after an effect that the broker has not entered
        const wanted =
          change === 'host journal lost'
            ? moments.filter((moment) => / done(?: #|$)/.test(moment.label))
            : moments
        for (const moment of wanted)
          for (const fault of await takeOver(moment, job, scenario, change))
            faults.push(`at ${moment.label}: ${fault}`)
        t.same(faults, [], `change: ${change}`)
      }
      forget(moments)
    },
  )
}
