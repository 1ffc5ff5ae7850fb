import { cpSync, rmSync } from 'node:fs'
import type { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import { copyOfHost, Engine } from '../../support/simulated-engine.js'
import { temporaryDirectory } from '../../support/simulated-broker.js'
import { makeWorld, type Scenario } from './scenarios.js'

/** The disk of the broker and the hosts at one moment of a job. */
export interface Moment {
  readonly label: string
  readonly directory: string
  readonly hosts: readonly SimulatedHost[]
}

/** Calls that only look, and what the broker does by itself now and then, which is no moment of a job. */
export const LOOKS = new Set([
  'list',
  'displays',
  'stream',
  'configure',
  'xml',
  'facts',
  'domain_metadata',
  'parts_remove',
])

export interface Watch {
  /**
   * Before and after each step, and before and after the effect of each call to a host. A fault
   * that it throws is the step's, or the call's.
   */
  readonly at: (label: string) => void
}

/**
 * Calls `watch` at every moment at which a process may end. Each label names one moment: `hv1
 * image_copy called`, `pc-1 define after`; the second of a kind ends in #2.
 */
export function watchMoments(engine: Engine, hosts: readonly SimulatedHost[], watch: Watch): void {
  const seen = new Map<string, number>()
  const at = (label: string): void => {
    const count = (seen.get(label) ?? 0) + 1
    seen.set(label, count)
    watch.at(count === 1 ? label : `${label} #${count}`)
  }
  engine.hook = ({ target, step, when }) => {
    at(`${target} ${step} ${when}`)
  }
  for (const host of hosts) {
    host.onCall = (call) => {
      if (!LOOKS.has(call)) at(`${host.name} ${call} called`)
    }
    host.onAnswer = (call) => {
      if (!LOOKS.has(call)) at(`${host.name} ${call} done`)
    }
  }
}

export function watchNothing(engine: Engine, hosts: readonly SimulatedHost[]): void {
  engine.hook = () => {}
  for (const host of hosts) host.onCall = host.onAnswer = () => {}
}

/** A world in which the scenario's wish can be asked, as a disk and hosts to be copied. */
export async function prepared(scenario: Scenario): Promise<Moment> {
  const engine = await makeWorld()
  await scenario.prepare?.(engine)
  await engine.idle()
  const moment = momentOf(engine, engine.options.hosts, 'prepared')
  await engine.remove()
  return moment
}

export function momentOf(engine: Engine, hosts: readonly SimulatedHost[], label: string): Moment {
  return { label, directory: engine.copyOfDisk(), hosts: hosts.map(copyOfHost) }
}

export function forget(moments: readonly Moment[]): void {
  for (const moment of moments) rmSync(moment.directory, { recursive: true, force: true })
}

/** A broker on copies of what a moment has left; the moment itself stays as it is. */
export async function resume(moment: Moment): Promise<{ engine: Engine; hosts: SimulatedHost[] }> {
  const hosts = moment.hosts.map(copyOfHost)
  const engine = await Engine.start({ hosts, directory: copyDirectory(moment.directory) })
  return { engine, hosts }
}

function copyDirectory(from: string): string {
  const to = temporaryDirectory()
  cpSync(from, to, { recursive: true })
  return to
}
