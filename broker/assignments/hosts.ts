import type { Events } from '../events/bus.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Observer } from '../machines/observer.js'
import type { Unwatched } from '../occupancy/fair-clock.js'
import type { Store } from '../store/open.js'
import type { HostLoad } from './selection.js'

export interface HostsDeps {
  readonly store: Store
  readonly events: Events
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly now: () => number
  /** How long a host must have been watched without a break before anything on it is taken from anybody. */
  readonly graceMs: number
}

/**
 * Which hosts can be given out from, how full they are, and since when each has been watched or
 * away. In memory: it is what this process has seen itself.
 */
export class Hosts {
  readonly #running = new Map<string, number>()
  readonly #awaySince = new Map<string, number>()

  constructor(readonly deps: HostsDeps) {}

  start(): void {
    const { events, hypervisors, now } = this.deps
    for (const name of hypervisors.names()) this.#awaySince.set(name, now())
    events.subscribe('hypervisorSeen', (name) => {
      this.#awaySince.delete(name)
    })
    events.subscribe('hypervisorChanged', (name) => {
      if (this.isUp(name)) return
      if (!this.#awaySince.has(name)) this.#awaySince.set(name, now())
    })
  }

  isUp(name: string): boolean {
    const { hypervisors } = this.deps
    return hypervisors.names().includes(name) && hypervisors.link(name).status().state === 'up'
  }

  awayMs(name: string): number {
    const since = this.#awaySince.get(name)
    return this.isUp(name) || since === undefined ? 0 : this.deps.now() - since
  }

  /** Watched now: it is up, and what was last seen of it is not too old. */
  isObserved(name: string): boolean {
    return this.isUp(name) && this.deps.observer.occupancy.observation(name).current
  }

  /** What is not watched now: who works there cannot be seen to come or go. */
  unwatched(): Unwatched {
    const { hypervisors, observer } = this.deps
    return {
      hypervisors: hypervisors.names().filter((name) => !this.isObserved(name)),
      machines: observer.occupancy.faulty(),
    }
  }

  /** Watched for the grace time without a break, so that what it shows can be acted upon. */
  isSettled(name: string, graceMs = this.deps.graceMs): boolean {
    return this.isUp(name) && this.deps.observer.occupancy.isHostSettled(name, graceMs)
  }

  /**
   * The same of one machine: who is connected to it has been known for the grace time. Nothing is
   * taken from anybody before.
   */
  isMachineSettled(
    machine: { id: string; hypervisor: string },
    graceMs = this.deps.graceMs,
  ): boolean {
    return (
      this.isSettled(machine.hypervisor, graceMs) &&
      this.deps.observer.occupancy.isSettled(machine.id, graceMs)
    )
  }

  /** Why it is not known who uses a machine, or null when it is known. */
  unknownUse(machineId: string): string | null {
    return this.deps.observer.occupancy.unknown(machineId)
  }

  /** Hosts from which desktops can be given now: up, watched, not in maintenance. */
  usable(): HostLoad[] {
    const { hypervisors } = this.deps
    return (
      hypervisors
        .names()
        .filter((name) => this.isUp(name) && hypervisors.row(name).maintenance === 0)
        // On one that was not to be seen just now nothing could be started either.
        .filter((name) => this.deps.observer.occupancy.observation(name).reason === '')
        .map((hypervisor) => {
          const memoryMib = hypervisors.link(hypervisor).status().facts?.memory_mib ?? 1
          return { hypervisor, load: (this.#running.get(hypervisor) ?? 0) / memoryMib }
        })
    )
  }

  /** A desktop of so much memory was given out, or the next count is not yet made. */
  noteGiven(hypervisor: string, memoryMib: number): void {
    this.#running.set(hypervisor, (this.#running.get(hypervisor) ?? 0) + memoryMib)
  }

  /** Counts again the memory of what runs or is about to; `only`: on these hosts. */
  async count(only?: readonly string[]): Promise<void> {
    const rows = await this.deps.store
      .selectFrom('machine')
      .leftJoin('assignment', 'assignment.machine_id', 'machine.id')
      .select((eb) => ['machine.hypervisor', eb.fn.sum<number>('machine.memory_mib').as('memory')])
      .where((eb) => eb.or([eb('machine.power', '=', 'running'), eb('assignment.wanted', '=', 1)]))
      .$if(only !== undefined, (q) => q.where('machine.hypervisor', 'in', [...(only ?? [])]))
      .groupBy('machine.hypervisor')
      .execute()
    for (const name of only ?? [...this.#running.keys()]) this.#running.delete(name)
    for (const row of rows) this.#running.set(row.hypervisor, Number(row.memory))
  }
}
