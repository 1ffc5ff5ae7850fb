import type { Logger } from 'pino'
import { consoleAnswers, machineAnswers, queueAnswer } from './answers.js'
import { assembleHandingOut, type HandingOut } from './assignments/assembly.js'
import { allObjectFacts, objectFacts } from './assignments/object-facts.js'
import { chainOldRows, HeadLog } from './audit/chain.js'
import type { Config } from './config.js'
import { assembleConsoles, type ConsoleParts } from './consoles/assembly.js'
import { assembleDoctor } from './doctor/assembly.js'
import type { Doctor } from './doctor/service.js'
import { assembleDraining, type Draining } from './draining/assembly.js'
import { Events } from './events/bus.js'
import type { Foundation } from './foundation.js'
import { assembleHistory, type HistoryParts } from './history/assembly.js'
import { assembleHypervisors, type HypervisorParts } from './hypervisors/assembly.js'
import type { OpenLink } from './hypervisors/hypervisor.js'
import type { StepHook } from './jobs/context.js'
import { JobRunner } from './jobs/runner.js'
import { assembleMachines, type MachineParts } from './machines/assembly.js'
import { FairClock } from './occupancy/fair-clock.js'
import { Occupancy } from './occupancy/occupancy.js'
import { Usage } from './occupancy/usage.js'
import { assembleThinClients, type ThinClientParts } from './thin-clients/assembly.js'
import { assemblePeople, type People } from './users/assembly.js'

export interface PartsDeps {
  readonly config: Config
  readonly log: Logger
  readonly foundation: Foundation
  readonly hook?: StepHook | undefined
  readonly openLink?: OpenLink | undefined
}

interface Hosting extends HypervisorParts {
  readonly occupancy: Occupancy
  readonly fairClock: FairClock
  readonly usage: Usage
  readonly jobs: JobRunner
  readonly doctor: Doctor
}

interface Desktops extends MachineParts, ConsoleParts {
  readonly handingOut: HandingOut
  readonly draining: Draining
}

/** What each folder gives to the whole. */
export interface Parts extends Hosting, Desktops, ThinClientParts, HistoryParts {
  readonly events: Events
  readonly people: People
  readonly headLog: HeadLog
}

const monotonicMs = (): number => performance.now()

/** Makes every part and connects them, from the ground up. Nothing runs yet. */
export async function assembleParts(deps: PartsDeps): Promise<Parts> {
  const { config, log, hook, foundation } = deps
  const { store, changes, authority } = foundation
  const events = new Events(log)
  const ground = { store, events, changes, authority, config, log, ...(hook ? { hook } : {}) }
  const facts = { facts: objectFacts(store), allFacts: allObjectFacts(store) }
  const people = await assemblePeople({ ...ground, ...facts })
  await chainOldRows(store)
  const headLog = new HeadLog(store, log)
  const hosting = { ...ground, ...(await assembleHosting(deps, ground)) }
  const desktops = { ...hosting, ...assembleDesktops(hosting, people) }
  const { assignments, claims, pools } = desktops.handingOut
  const thinClientParts = await assembleThinClients({
    ...desktops,
    ...people,
    assignments,
    claims,
    pools,
  })
  return {
    ...desktops,
    ...thinClientParts,
    ...assembleHistory({ ...ground, clock: people.clock }),
    events,
    people,
    headLog,
  }
}

interface Ground extends Pick<Foundation, 'store' | 'changes' | 'authority'> {
  readonly events: Events
  readonly config: Config
  readonly log: Logger
  readonly hook?: StepHook
}

/** The hosts, and the jobs that are done there. */
async function assembleHosting(
  { openLink, foundation }: PartsDeps,
  ground: Ground,
): Promise<Hosting> {
  const { store, config } = ground
  const occupancy = new Occupancy({ monotonicMs, maxAgeMs: config.observationAgeMs })
  const fairClock = new FairClock({ store, now: Date.now, monotonicMs })
  const usage = new Usage({
    store,
    occupancy,
    now: () => fairClock.now(),
    releaseAfterMs: config.releaseAfterMs,
  })
  const { key } = foundation
  const parts = await assembleHypervisors({ ...ground, key, occupancy, openLink })
  const jobs = new JobRunner(ground)
  const areHostsSimulated = openLink !== undefined
  const doctor = assembleDoctor({ ...ground, ...parts, jobs, areHostsSimulated })
  return { ...parts, occupancy, fairClock, usage, jobs, doctor }
}

/** Machines, who has them, and their screens: each of these asks the others. */
function assembleDesktops(hosting: Ground & Hosting, people: People): Desktops {
  const { store, config } = hosting
  const { permissions, sessions, clock } = people
  const steadyNow = (): number => clock.now()
  const machineParts = assembleMachines({
    ...hosting,
    ...machineAnswers(store),
  })
  const working = { ...hosting, ...machineParts }
  const handingOut = assembleHandingOut({
    ...working,
    releaseAfterMs: config.releaseAfterMs,
    graceMs: config.observationGraceMs,
    now: Date.now,
    mayHave: queueAnswer(store, permissions),
  })
  const draining = assembleDraining({ ...working, handingOut, now: steadyNow })
  const { assignments } = handingOut
  const consoleParts = assembleConsoles({
    ...working,
    ...consoleAnswers({ store, permissions, assignments }),
    now: steadyNow,
    loginLives: async (login) => await sessions.lives(login),
  })
  return { ...machineParts, ...consoleParts, handingOut, draining }
}
