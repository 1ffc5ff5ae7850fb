import type { Logger } from 'pino'
import type { SpiceConsole } from '../api/machines.js'
import type { Verb } from '../api/permissions.js'
import type { Console } from '../api/thin-clients.js'
import type { Assignments } from '../assignments/service.js'
import { recordEvent } from '../audit/store.js'
import type { Asker, ConsoleMachine } from '../consoles/asker.js'
import { directRdp } from '../consoles/paths.js'
import { BrokerError, refusal } from '../errors/broker-error.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Machines } from '../machines/service.js'
import type { Usage } from '../occupancy/usage.js'
import { strictest } from '../pools/policy.js'
import { poolsOf, requirePool } from '../pools/store.js'
import type { Store } from '../store/open.js'
import type { Target } from './clients-entry.js'
import { machineFacts } from './machine-facts.js'
import { type MachineFacts, nextStep, type PoolFacts, type Step, wayTo } from './policy.js'
import type { Opener, Opened, Act } from './opened.js'

export interface OpeningDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly machines: Machines
  readonly assignments: Assignments
  readonly usage: Usage
  readonly jobs: JobRunner
  readonly log: Logger
  readonly horizonServer: string
  readonly console: (machine: ConsoleMachine, asker: Asker) => Promise<SpiceConsole>
}

const START_FAILURE_COUNTS_MS = 15_000
/** No event tells that a guest's RDP has come up. */
const RDP_AGAIN_MS = 2_000

/** Opens the first of the targets that can be had: claims and starts its machine, and gives it a console. */
export class Opening {
  /** By the machine's id: a name may be another one's tomorrow. `atMs`: of the clock that nobody sets. */
  readonly #startFailures = new Map<string, { sentence: string; atMs: number }>()

  /** `onChange`: a machine that somebody waits for has changed. */
  constructor(
    readonly deps: OpeningDeps,
    readonly onChange: (machineId: string) => void,
  ) {}

  async open(targets: readonly Target[], opener: Opener): Promise<Opened> {
    const wakers: string[] = []
    const facts = new Map<string, MachineFacts | null>()
    const pools = new Map<string, PoolFacts | null>()
    for (const target of targets) {
      if (target.protocol === 'spice')
        facts.set(target.machine, await this.#facts(target.machine, opener, wakers))
      if (target.protocol === 'pool') pools.set(target.pool, await this.#pool(target.pool, wakers))
    }
    const step = nextStep(
      targets,
      (name) => facts.get(name) ?? null,
      (name) => pools.get(name) ?? null,
    )
    const { machine = step.machine, ...answer } = await this.#carryOut(step, opener, wakers)
    return {
      ...answer,
      ...(isSteady(step, facts, pools) ? { steadyUnder: [] } : {}),
      machine: machine ? { id: machine.id, name: machine.name } : null,
      wakers,
    }
  }

  async #facts(machine: string, opener: Opener, wakers: string[]): Promise<MachineFacts | null> {
    const found = await machineFacts(this.deps, machine, opener.holder, this.#startFailure)
    if (found) wakers.push(`machine:${found.id}`, `hypervisor:${found.hypervisor}`)
    return found
  }

  async #pool(name: string, wakers: string[]): Promise<PoolFacts | null> {
    const row = await this.deps.store
      .selectFrom('pool')
      .select(['id', 'name', 'maintenance', 'maintenance_reason'])
      .where('name', '=', name)
      .where('state', '=', 'active')
      .executeTakeFirst()
    if (!row) return null
    wakers.push(`pool:${row.id}`)
    return {
      name: row.name,
      maintenance: row.maintenance === 1,
      maintenanceReason: row.maintenance_reason,
    }
  }

  async #carryOut(step: Step, opener: Opener, wakers: string[]): Promise<Act> {
    if (step.do === 'wait') return { state: step.state, sentence: step.sentence, console: null }
    if (step.do === 'login')
      return { state: 'login', sentence: '', console: null, login: { pools: step.pools } }
    try {
      if (step.do === 'claim') return await this.#claim(step.pool, opener, wakers)
      if (step.do === 'start') return await this.#start(step.machine, step.sentence, opener)
      return await this.#show(step, opener)
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code === 'internal') throw error
      const what =
        step.do === 'claim' ? `A desktop of ${step.pool}` : (step.machine?.name ?? 'The desktop')
      return {
        state: error.code === 'maintenance' ? 'maintenance' : 'waiting',
        sentence: `${what} cannot be opened yet: ${error.message}`,
        console: null,
      }
    }
  }

  /** The holder's desktop of the pool; a place in the queue when all are taken. */
  async #claim(pool: string, opener: Opener, wakers: string[]): Promise<Act> {
    const { desktop, queue } = await this.deps.assignments.claim(
      pool,
      opener.holder,
      opener.actor,
      { wait: true },
      AbortSignal.abort(),
    )
    if (queue)
      return {
        state: 'waiting',
        sentence: `${queue.sentence} This screen has place ${queue.place} in the queue and goes on by itself.`,
        console: null,
      }
    const machine = desktop ? await this.#facts(desktop.machine, opener, wakers) : null
    if (!desktop || !machine) throw refusal('desktop_deleted')
    if (desktop.phase === 'preparing' || machine.power !== 'running')
      return {
        state: 'starting',
        sentence: `${machine.name}: ${desktop.sentence}`,
        console: null,
        machine,
      }
    return {
      ...((await this.#rdp(pool, machine, opener)) ?? (await this.#console(machine, opener))),
      machine,
    }
  }

  /**
   * Where the pool prefers RDP and the guest answers at an address that this device can reach;
   * null: its display is shown.
   */
  async #rdp(poolName: string, machine: MachineFacts, opener: Opener): Promise<Act | null> {
    const { store, hypervisors, assignments } = this.deps
    const { policy } = await requirePool(store, poolName)
    const { network, power_since: runsSince } = await store
      .selectFrom('machine')
      .select(['network', 'power_since'])
      .where('id', '=', machine.id)
      .executeTakeFirstOrThrow()
    if (wayTo(policy.protocols, network, null, 0) === 'display') return null
    await this.#require('accessConsole', machine, opener)
    await assignments.refuseUnclean(machine, opener.holder)
    const address = await directRdp(hypervisors, { ...machine, network })
    const runsMs = Date.now() - runsSince
    // A clock that was set back since then says nothing; nobody waits for it to catch up.
    const way = wayTo(
      policy.protocols,
      network,
      address,
      runsMs < 0 ? Number.POSITIVE_INFINITY : runsMs,
    )
    if (way === 'wait')
      return {
        state: 'starting',
        sentence: `${machine.name} runs; its remote desktop (RDP) does not answer yet.`,
        console: null,
        lookAgainMs: RDP_AGAIN_MS,
      }
    if (address === null) return null
    const { clipboard, fileTransfer, usb } = strictest(
      (await poolsOf(store, machine.id)).map((pool) => pool.policy),
    )
    await assignments.noteTicket(machine.id, opener.holder)
    await recordEvent(store, opener.actor, 'console.rdp', `machine:${machine.name}`, { address })
    return {
      state: 'ready',
      sentence: `Opening ${machine.name}.`,
      console: {
        protocol: 'rdp',
        address,
        title: machine.name,
        clipboard,
        drives: fileTransfer && usb,
      },
    }
  }

  async #show(step: Extract<Step, { do: 'show' }>, opener: Opener): Promise<Act> {
    const { target, machine } = step
    const ready = (console: Console): Act => ({
      state: 'ready',
      sentence: `Opening ${console.title}.`,
      console,
    })
    if (target.protocol === 'rdp')
      return ready({ protocol: 'rdp', address: target.address, title: target.address })
    if (target.protocol === 'horizon')
      return ready({
        protocol: 'horizon',
        server: this.deps.horizonServer,
        desktopPool: target.desktopPool,
        title: target.desktopPool,
      })
    if (!machine) throw refusal('machine_deleted')
    await this.#require('accessConsole', machine, opener)
    await this.deps.assignments.claimNamed(machine.id, opener.holder)
    return await this.#console(machine, opener)
  }

  async #console(machine: MachineFacts, opener: Opener): Promise<Act> {
    await this.#require('accessConsole', machine, opener)
    const console = await this.deps.console(machine, opener.asker)
    await this.deps.assignments.noteTicket(machine.id, opener.holder)
    return { state: 'ready', sentence: `Opening ${console.title}.`, console }
  }

  async #start(machine: MachineFacts, sentence: string, opener: Opener): Promise<Act> {
    await this.#require('start', machine, opener)
    await this.deps.assignments.claimNamed(machine.id, opener.holder)
    const job = await this.deps.machines.power(machine.name, { action: 'start' }, opener.actor)
    this.deps.jobs.ended(job).then(
      (ended) => {
        if (ended.state !== 'succeeded')
          this.#startFailures.set(machine.id, {
            sentence: ended.targets[0]?.message ?? ended.message,
            atMs: performance.now(),
          })
        this.onChange(machine.id)
      },
      (error: unknown) => {
        this.deps.log.error({ err: error }, 'following a start failed')
      },
    )
    return { state: 'starting', sentence, console: null }
  }

  async #require(verb: Verb, machine: MachineFacts, opener: Opener): Promise<void> {
    if (!(await opener.may(verb, machine.name)))
      throw refusal('machine_permission_needed', { machine: machine.name, verb })
  }

  readonly #startFailure = (machineId: string): string | null => {
    const failure = this.#startFailures.get(machineId)
    if (!failure) return null
    if (performance.now() - failure.atMs < START_FAILURE_COUNTS_MS) return failure.sentence
    this.#startFailures.delete(machineId)
    return null
  }
}

/** Places in queues, failed starts and what somebody else has pass by time; a machine that is not there may be made. */
function isSteady(
  step: Step,
  machines: ReadonlyMap<string, MachineFacts | null>,
  pools: ReadonlyMap<string, PoolFacts | null>,
): boolean {
  return (
    step.do === 'wait' &&
    pools.size === 0 &&
    [...machines.values()].every(
      (machine) =>
        machine !== null &&
        machine.takenBy === null &&
        machine.startFailure === null &&
        machine.job === null,
    )
  )
}
