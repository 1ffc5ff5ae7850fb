import { EventEmitter } from 'node:events'
import type { Logger } from 'pino'
import type { PowerState } from '../api/machines.js'
import { BrokerError } from '../errors.js'
import type { DomainState, HypervisorLink } from '../hypervisors/hypervisor.js'
import type { HelperEvent } from '../hypervisors/helper-channel.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Store } from '../store/open.js'

export interface ObserverDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly log: Logger
  readonly everyMs: number
}

/** Who is connected to the displays of a running machine, as its QEMU says. */
export interface DisplayItem {
  readonly name: string
  readonly spice: ReadonlyArray<{ address: string }>
  readonly vnc: ReadonlyArray<{ address: string; family?: string }>
}
/** Addresses of those who are connected through the broker: at the screen, and at a port of the guest. */
export interface CarriedViewers {
  readonly screens: readonly string[]
  readonly forwards: readonly string[]
}
interface Machine {
  readonly id: string
  readonly name: string
  readonly power: PowerState
}

/** Events come in swarms: one look answers all that came within this time. */
const GATHER_MS = 60

/**
 * Keeps what the database says of power, and what memory says of viewers, equal to what libvirt and QEMU say: on every event, when a host comes
 * back, and by timer. Events carry no state; each only causes a look. Emits `power` (machine id, now, before) and `viewers` (machine id).
 */
export class Observer extends EventEmitter<{
  power: [string, PowerState, PowerState]
  viewers: [string]
  looked: [string]
}> {
  readonly #viewers = new Map<string, readonly string[]>()
  readonly #carried = new Map<string, CarriedViewers>()
  readonly #looks = new Map<string, Promise<void>>()
  readonly #again = new Set<string>()
  readonly #notes = new Map<string, string>()
  #timer: NodeJS.Timeout | undefined

  constructor(readonly deps: ObserverDeps) {
    super()
    this.setMaxListeners(0)
  }

  start(): void {
    const { hypervisors } = this.deps
    hypervisors.on('up', (name) => {
      this.look(name)
    })
    hypervisors.on('event', (name, event) => {
      this.#onEvent(name, event)
    })
    hypervisors.on('change', (name) => {
      void this.#onHypervisorChange(name)
    })
    for (const name of hypervisors.names()) this.look(name) // those that were up before anybody listened
    this.#timer = setInterval(() => {
      for (const name of hypervisors.names()) this.look(name)
    }, this.deps.everyMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#looks.values())
  }

  /** Addresses of those who use a machine now, in whatever way Berth can see. */
  viewers(machineId: string): readonly string[] {
    return [...this.atScreen(machineId), ...(this.#carried.get(machineId)?.forwards ?? [])]
  }

  /** Addresses of those who have its screen before them. */
  atScreen(machineId: string): readonly string[] {
    return [...this.atDisplay(machineId), ...(this.#carried.get(machineId)?.screens ?? [])]
  }

  /** The same, as its QEMU says: those in a browser are not among them. */
  atDisplay(machineId: string): readonly string[] {
    return this.#viewers.get(machineId) ?? []
  }

  /** What the broker itself carries to a machine, told by who carries it. */
  noteCarried(machineId: string, carried: CarriedViewers): void {
    const before = this.viewers(machineId)
    if (carried.screens.length + carried.forwards.length === 0) this.#carried.delete(machineId)
    else this.#carried.set(machineId, carried)
    if (!sameList(before, this.viewers(machineId))) this.emit('viewers', machineId)
  }

  /** Asks libvirt now and notes what it says; throws when it cannot be asked. */
  async powerNow(machine: { name: string; hypervisor: string; id: string }): Promise<PowerState> {
    const domains = await this.deps.hypervisors.link(machine.hypervisor).listDomains()
    const row = await this.deps.store
      .selectFrom('machine')
      .select(['id', 'name', 'power'])
      .where('id', '=', machine.id)
      .executeTakeFirst()
    if (row) await this.#notePower([row], new Map(domains.map((domain) => [domain.uuid, domain])))
    return domains.find((domain) => domain.uuid === machine.id)?.power ?? 'missing'
  }

  /** Throws `machine_running` unless libvirt says that the machine is off (or has no domain). */
  async requireOff(name: string): Promise<void> {
    const machine = await this.deps.store
      .selectFrom('machine')
      .select(['id', 'name', 'hypervisor'])
      .where('name', '=', name)
      .executeTakeFirst()
    if (!machine) throw new BrokerError('not_found', `There is no machine ${name}.`)
    const power = await this.powerNow(machine)
    if (power !== 'off' && power !== 'missing' && power !== 'crashed')
      throw new BrokerError('machine_running', `${name} is ${power}: shut it down first.`)
  }

  /** Looks at a hypervisor soon; many calls make one look. */
  look(hypervisor: string): void {
    if (this.#looks.has(hypervisor)) {
      this.#again.add(hypervisor)
      return
    }
    const look = new Promise((resolve) => setTimeout(resolve, GATHER_MS))
      .then(async () => {
        const link = this.deps.hypervisors.link(hypervisor)
        if (link.status().state === 'up') await this.lookNow(hypervisor, link)
      })
      .catch((error: unknown) => {
        this.deps.log.debug({ err: error, hypervisor }, 'looking at the hypervisor failed')
      })
      .finally(() => {
        this.#looks.delete(hypervisor)
        if (this.#again.delete(hypervisor)) this.look(hypervisor)
      })
    this.#looks.set(hypervisor, look)
  }

  async lookNow(
    hypervisor: string,
    link: HypervisorLink = this.deps.hypervisors.link(hypervisor),
  ): Promise<void> {
    const domains = await link.listDomains()
    const machines = await this.deps.store
      .selectFrom('machine')
      .select(['id', 'name', 'power'])
      .where('hypervisor', '=', hypervisor)
      .execute()
    await this.#notePower(machines, new Map(domains.map((domain) => [domain.uuid, domain])))
    const running = machines.filter((machine) =>
      domains.some((domain) => domain.uuid === machine.id && domain.power === 'running'),
    )
    const { items } =
      running.length === 0
        ? { items: [] }
        : await link.request<{ items: DisplayItem[] }>('displays', {
            domains: running.map((machine) => machine.name),
          })
    const byName = new Map(items.map((item) => [item.name, displayViewers(item)]))
    for (const machine of machines) this.#noteViewers(machine.id, byName.get(machine.name) ?? [])
    this.emit('looked', hypervisor)
  }

  async #notePower(
    machines: readonly Machine[],
    domains: ReadonlyMap<string, DomainState>,
  ): Promise<void> {
    const changed = machines.flatMap((machine) => {
      const power = domains.get(machine.id)?.power ?? 'missing'
      return power === machine.power ? [] : [{ machine, power }]
    })
    if (changed.length === 0) return
    await this.deps.store.transaction().execute(async (tx) => {
      for (const { machine, power } of changed) {
        const reason =
          power === 'missing'
            ? "Its hypervisor has no such domain; it was deleted behind Berth's back."
            : power === 'paused'
              ? (this.#notes.get(machine.name) ?? 'Paused by somebody.')
              : ''
        await tx
          .updateTable('machine')
          .set({ power, power_reason: reason, power_since: Date.now() })
          .where('id', '=', machine.id)
          .execute()
      }
    })
    for (const { machine, power } of changed) this.emit('power', machine.id, power, machine.power)
  }

  #noteViewers(machineId: string, addresses: readonly string[]): void {
    if (sameList(this.atDisplay(machineId), addresses)) return
    if (addresses.length === 0) this.#viewers.delete(machineId)
    else this.#viewers.set(machineId, addresses)
    this.emit('viewers', machineId)
  }

  #onEvent(hypervisor: string, event: HelperEvent): void {
    if (event.event === 'domain' && event.name !== undefined) {
      if (event.kind === 'io-error' || event.kind === 'io-error-reason')
        this.#notes.set(
          event.name,
          `Disk error: ${event.detail ?? 'no detail'}. Free some space or look at the disk, then resume it.`,
        )
      else if (event.kind === 'lifecycle' && event.detail?.startsWith('Resumed'))
        this.#notes.delete(event.name)
    }
    this.look(hypervisor)
  }

  /** What a host that is away does is unknown; its machines are shown so, and nobody counts as connected or gone. */
  async #onHypervisorChange(hypervisor: string): Promise<void> {
    const names = this.deps.hypervisors.names()
    if (
      !names.includes(hypervisor) ||
      this.deps.hypervisors.link(hypervisor).status().state !== 'unreachable'
    )
      return
    const machines = await this.deps.store
      .selectFrom('machine')
      .select(['id', 'power'])
      .where('hypervisor', '=', hypervisor)
      .where('power', '!=', 'unknown')
      .execute()
    if (machines.length === 0) return
    await this.deps.store
      .updateTable('machine')
      .set({
        power: 'unknown',
        power_reason: 'Its hypervisor does not answer.',
        power_since: Date.now(),
      })
      .where('hypervisor', '=', hypervisor)
      .execute()
    for (const machine of machines) this.emit('power', machine.id, 'unknown', machine.power)
  }
}

/** Addresses at which QEMU has viewers. Those on the VNC display's own socket are the broker's, which knows more of them. */
export function displayViewers(item: DisplayItem): string[] {
  return [...item.spice, ...item.vnc.filter(({ family }) => family !== 'unix')].map(
    ({ address }) => address,
  )
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((address, index) => address === other[index])
}
