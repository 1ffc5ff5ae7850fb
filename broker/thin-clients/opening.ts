import type { AskAnswer, Console } from '../api/thin-clients.js'
import type { SpiceConsole } from '../api/machines.js'
import type { Actor } from '../audit/store.js'
import type { Assignments } from '../assignments/service.js'
import { BrokerError } from '../errors.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Machines } from '../machines/service.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import type { Logger } from 'pino'
import type { Target } from './clients-xml.js'
import { machineFacts } from './machine-facts.js'
import { type MachineFacts, nextStep, type PoolFacts, type Step } from './policy.js'

export interface OpeningDeps {
  readonly store: Store, readonly hypervisors: Hypervisors, readonly machines: Machines, readonly assignments: Assignments, readonly jobs: JobRunner, readonly log: Logger, readonly horizonServer: string
  readonly console: (machine: { id: string, name: string, hypervisor: string }, device: { mac: string, address: string }) => Promise<SpiceConsole>
  readonly onChange: (machineId: string) => void
}

/** What a device is told about its desktop. `wakers`: what may change that. */
export interface Opened { readonly state: AskAnswer['state'], readonly sentence: string, readonly console: Console | null, readonly machine: string | null, readonly wakers: string[] }

type Act = Omit<Opened, 'wakers' | 'machine'> & { readonly machine?: MachineFacts | null }

const START_FAILURE_COUNTS_MS = 15_000

/** Opens the first of a device's targets that can be had: claims and starts its machine, and gives it a console. */
export class Opening {
  readonly #startFailures = new Map<string, { sentence: string, atMs: number }>()

  constructor (readonly deps: OpeningDeps) {}

  async open (targets: readonly Target[], device: ThinClientRow): Promise<Opened> {
    const wakers: string[] = []
    const holder = `thin-client:${device.id}`
    const facts = new Map<string, MachineFacts | null>()
    const pools = new Map<string, PoolFacts | null>()
    for (const target of targets) {
      if (target.protocol === 'spice') facts.set(target.machine, await this.#facts(target.machine, holder, wakers))
      if (target.protocol === 'pool') pools.set(target.pool, await this.#pool(target.pool, wakers))
    }
    const step = nextStep(targets, (name) => facts.get(name) ?? null, (name) => pools.get(name) ?? null)
    const { machine = step.machine, ...answer } = await this.#carryOut(step, device, holder, wakers)
    return { ...answer, machine: machine?.name ?? null, wakers }
  }

  async #facts (machine: string, holder: string, wakers: string[]): Promise<MachineFacts | null> {
    const found = await machineFacts(this.deps, machine, holder, this.#startFailure(machine))
    if (found) wakers.push(`machine:${found.id}`, `hypervisor:${found.hypervisor}`)
    return found
  }

  async #pool (name: string, wakers: string[]): Promise<PoolFacts | null> {
    const row = await this.deps.store.selectFrom('pool').select(['id', 'name', 'maintenance', 'maintenance_reason']).where('name', '=', name).where('state', '=', 'active').executeTakeFirst()
    if (!row) return null
    wakers.push(`pool:${row.id}`)
    return { name: row.name, maintenance: row.maintenance === 1, maintenanceReason: row.maintenance_reason }
  }

  async #carryOut (step: Step, device: ThinClientRow, holder: string, wakers: string[]): Promise<Act> {
    if (step.do === 'wait') return { state: step.state, sentence: step.sentence, console: null }
    try {
      if (step.do === 'claim') return await this.#claim(step.pool, holder, device, wakers)
      if (step.do === 'start') return await this.#start(step.machine, step.sentence, device)
      return await this.#show(step, device)
    } catch (error) {
      if (!(error instanceof BrokerError) || error.code === 'internal') throw error
      const what = step.do === 'claim' ? `A desktop of ${step.pool}` : step.machine?.name ?? 'The desktop'
      return { state: error.code === 'maintenance' ? 'maintenance' : 'waiting', sentence: `${what} cannot be opened yet: ${error.message}`, console: null }
    }
  }

  /** The holder's desktop of the pool; a place in the queue when all are taken. */
  async #claim (pool: string, holder: string, device: ThinClientRow, wakers: string[]): Promise<Act> {
    const { desktop, queue } = await this.deps.assignments.claim(pool, holder, actorOf(device), { wait: true }, AbortSignal.abort())
    if (queue) return { state: 'waiting', sentence: `${queue.sentence} This screen has place ${queue.place} in the queue and goes on by itself.`, console: null }
    const machine = desktop ? await this.#facts(desktop.machine, holder, wakers) : null
    if (!desktop || !machine) throw new BrokerError('not_found', 'The desktop was deleted meanwhile.')
    if (desktop.phase === 'preparing' || machine.power !== 'running') return { state: 'starting', sentence: `${machine.name}: ${desktop.sentence}`, console: null, machine }
    const console = await this.deps.console(machine, device)
    await this.deps.assignments.noteTicket(machine.id)
    return { state: 'ready', sentence: `Opening ${console.title}.`, console, machine }
  }

  async #show (step: Extract<Step, { do: 'show' }>, device: ThinClientRow): Promise<Act> {
    const { target, machine } = step
    const ready = (console: Console): Act => ({ state: 'ready', sentence: `Opening ${console.title}.`, console })
    if (target.protocol === 'rdp') return ready({ protocol: 'rdp', address: target.address, title: target.address })
    if (target.protocol === 'horizon') return ready({ protocol: 'horizon', server: this.deps.horizonServer, desktopPool: target.desktopPool, title: target.desktopPool })
    if (!machine) throw new BrokerError('not_found', 'The machine was deleted meanwhile.')
    await this.deps.assignments.claimNamed(machine.id, device.id)
    const console = await this.deps.console(machine, device)
    await this.deps.assignments.noteTicket(machine.id)
    return ready(console)
  }

  async #start (machine: MachineFacts, sentence: string, device: ThinClientRow): Promise<Act> {
    await this.deps.assignments.claimNamed(machine.id, device.id)
    const job = await this.deps.machines.power(machine.name, { action: 'start' }, actorOf(device))
    this.deps.jobs.ended(job).then((ended) => {
      if (ended.state !== 'succeeded') this.#startFailures.set(machine.name, { sentence: ended.targets[0]?.message ?? ended.message, atMs: Date.now() })
      this.deps.onChange(machine.id)
    }, (error: unknown) => { this.deps.log.error({ err: error }, 'following a start failed') })
    return { state: 'starting', sentence, console: null }
  }

  #startFailure (machine: string): string | null {
    const failure = this.#startFailures.get(machine)
    return failure && Date.now() - failure.atMs < START_FAILURE_COUNTS_MS ? failure.sentence : null
  }
}

function actorOf (device: ThinClientRow): Actor { return { actor: `thin-client:${device.mac}`, address: device.address } }
