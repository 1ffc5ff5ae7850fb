import t from 'tap'
import { refusal } from '../../../broker/errors/broker-error.js'
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
import { LEFT_BY_DELETE, repeat } from './repeat.js'
import { type Scenario, SCENARIOS } from './scenarios.js'

t.setTimeout(240_000)

const ENDS = ['succeeded', 'failed', 'partly', 'cancelled']
/** So many at a time: they mostly wait for the next attempt of a call whose answer was lost. */
const AT_ONCE = 8

/** The labels of all moments of the scenario's job, in the order in which they come. */
async function labelsOf(scenario: Scenario, start: Moment): Promise<string[]> {
  const { engine, hosts } = await resume(start)
  const labels: string[] = []
  watchMoments(engine, hosts, {
    at: (label) => {
      labels.push(label)
    },
  })
  await engine.succeeded(await scenario.wish(engine))
  watchNothing(engine, hosts)
  await engine.remove()
  return [...new Set(labels)]
}

/** The fault of this moment: a step's fault, a call that is refused again and again, or an answer that is lost once. */
function faultAt(wanted: string): (label: string) => void {
  const [call = wanted] = wanted.split(' called')
  // a stream that ends is a lost line: it is reopened for 90 s
  const again = wanted.includes(' called') && !wanted.includes(' file_')
  return (label) => {
    if (
      again
        ? label.startsWith(`${call} called`) && numberOf(label) >= numberOf(wanted)
        : label === wanted
    ) {
      throw wanted.includes(' done')
        ? refusal('line_lost', { hypervisor: 'hv1' })
        : refusal('simulated_refusal', { said: 'It was refused on order.' })
    }
  }
}

/** These kinds take back what they have done; of the others every part that is done stands. */
function takesBack(scenario: Scenario): boolean {
  return scenario.name === 'copy' || scenario.name === 'define'
}

function numberOf(label: string): number {
  return Number(label.split('#')[1] ?? 1)
}

/** Runs the job with one fault; gives what goes wrong, and the moments from the fault on. */
async function runWithFault(
  scenario: Scenario,
  start: Moment,
  wanted: string,
): Promise<{ faults: string[]; job: string; moments: Moment[] }> {
  const { engine, hosts } = await resume(start)
  const moments: Moment[] = []
  let failed = false
  const fail = faultAt(wanted)
  watchMoments(engine, hosts, {
    at: (label) => {
      if (failed && takesBack(scenario) && /undo|image_remove|domain_undefine/.test(label))
        moments.push(momentOf(engine, hosts, `${wanted}, then ${label}`))
      try {
        fail(label)
      } catch (error) {
        failed = true
        throw error
      }
    },
  })
  const job = await scenario.wish(engine)
  const ended = await engine.ended(job)
  await engine.idle()
  watchNothing(engine, hosts)
  await engine.collect()
  for (const host of hosts) await engine.observer.lookNow(host.name)
  const faults = (await brokenRules(engine.store, hosts)).filter(
    (fault) => scenario.kind !== 'delete' || !LEFT_BY_DELETE.test(fault),
  )
  if (!failed) faults.push('the fault never came')
  if (ended.state !== 'succeeded') faults.push(...(await repeat(engine, hosts, scenario)))
  else faults.push(...(await scenario.faults(engine, hosts)))
  await engine.remove()
  return { faults, job, moments }
}

/** A broker that crashed while it undid: the next one ends the undoing. */
async function undoAgain(scenario: Scenario, moment: Moment, job: string): Promise<string[]> {
  const { engine, hosts } = await resume(moment)
  const { state, message } = await engine.ended(job)
  await engine.idle()
  for (const host of hosts) await engine.observer.lookNow(host.name)
  const faults = (await brokenRules(engine.store, hosts)).filter(
    (fault) => scenario.kind !== 'delete' || !LEFT_BY_DELETE.test(fault),
  )
  if (!ENDS.includes(state) || (state !== 'succeeded' && message === ''))
    faults.push(`it ${state}: "${message}"`)
  await engine.remove()
  return faults.map((fault) => `${moment.label}: ${fault}`)
}

for (const scenario of SCENARIOS) {
  t.test(
    `${scenario.name}: after a fault at any moment nothing is half-made, and the repeated wish converges`,
    async (t) => {
      const start = await prepared(scenario)
      const labels = await labelsOf(scenario, start)
      const faults: string[] = []
      const undone: string[] = []
      let takenOver = 0
      for (let from = 0; from < labels.length; from += AT_ONCE) {
        const results = await Promise.all(
          labels
            .slice(from, from + AT_ONCE)
            .map(async (label) => ({ label, ...(await runWithFault(scenario, start, label)) })),
        )
        for (const { label, faults: found, job, moments } of results) {
          faults.push(...found.map((fault) => `at ${label}: ${fault}`))
          for (const moment of moments) undone.push(...(await undoAgain(scenario, moment, job)))
          takenOver += moments.length
          forget(moments)
        }
      }
      t.same(faults, [])
      t.same(undone, [], `the undo, run twice (${takenOver} moments)`)
      t.ok(takenOver > 0 || !takesBack(scenario), 'there is something to undo')
      forget([start])
    },
  )
}
