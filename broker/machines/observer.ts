import type { Logger } from 'pino'
import { inBackground } from '../background.js'
import type { PowerState } from '../api/machines.js'
import { BERTH, recordEvent } from '../audit/store.js'
import { refusal, sentenceOf } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { DomainState, HypervisorLink } from '../hypervisors/hypervisor.js'
import type { HelperEvent } from '../events/map.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { CarriedViewers, Look, Occupancy } from '../occupancy/occupancy.js'
import type { Queries, Store } from '../store/open.js'
import { afterCommit, inTransaction } from '../store/transaction.js'
import { hasQemu, lookAtDisplays, type Machine } from './displays.js'

export interface ObserverDeps {
  readonly store: Store
  readonly events: Events
  readonly hypervisors: Hypervisors
  readonly occupancy: Occupancy
  readonly log: Logger
  readonly everyMs: number
  /** How long one QEMU may take to say who is connected to it. */
  readonly displayTimeoutMs: number
}

/** Events come in swarms: one look answers all that came within this time. */
const GATHER_MS = 60

/**
 * Keeps what the database says of power, and the occupancy of viewers, equal to what libvirt and
 * QEMU say: on every event, when a host comes back, and by timer. Events carry no state; each only
 * causes a look.
 */
export class Observer {
  /** The listing that each machine's power was last written from: listings may be answered out of turn. */
  readonly #writtenBy = new Map<string, number>()
  #listings = 0
  /** Hosts that are up and cannot be looked at: told once. */
  readonly #unseen = new Set<string>()
  readonly #looks = new Map<string, Promise<void>>()
  readonly #again = new Set<string>()
  readonly #notes = new Map<string, string>()
  #timer: NodeJS.Timeout | undefined

  constructor(readonly deps: ObserverDeps) {}

  start(): void {
    const { events, hypervisors } = this.deps
    events.subscribe('hypervisorReady', (name) => {
      this.look(name)
    })
    events.subscribe('hypervisorSaid', (name, event) => {
      this.#onEvent(name, event)
    })
    events.subscribe('hypervisorChanged', (name) => {
      inBackground({
        log: this.deps.log,
        what: 'machines.observe',
        work: () => this.#onHypervisorChange(name),
        retries: 8,
      })
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

  get occupancy(): Occupancy {
    return this.deps.occupancy
  }

  /** What the broker itself carries to a machine, told by who carries it. */
  noteCarried(machineId: string, carried: CarriedViewers): void {
    if (this.occupancy.noteCarried(machineId, carried))
      this.deps.events.publish('viewersChanged', machineId)
  }

  /** Asks libvirt now and notes what it says; throws when it cannot be asked. */
  async powerNow(machine: { name: string; hypervisor: string; id: string }): Promise<PowerState> {
    const listing = ++this.#listings
    const domains = await this.deps.hypervisors.link(machine.hypervisor).listDomains()
    await this.#notePower(listing, domains, { id: machine.id })
    return domains.find((domain) => domain.uuid === machine.id)?.power ?? 'missing'
  }

  /** Throws `machine_running` unless libvirt says that the machine is off (or has no domain). */
  async requireOff(name: string): Promise<void> {
    const machine = await this.deps.store
      .selectFrom('machine')
      .select(['id', 'name', 'hypervisor'])
      .where('name', '=', name)
      .executeTakeFirst()
    if (!machine) throw refusal('machine_unknown', { machine: name })
    const power = await this.powerNow(machine)
    if (power !== 'off' && power !== 'missing' && power !== 'crashed')
      throw refusal('machine_not_off', { machine: name, power })
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
      .catch(async (error: unknown) => {
        await this.#noteUnseen(hypervisor, error)
      })
      .catch((error: unknown) => {
        this.deps.log.error({ err: error, hypervisor }, 'noting a failed look failed')
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
    const { occupancy } = this.deps
    const listing = ++this.#listings
    const startMs = occupancy.deps.monotonicMs()
    const domains = await link.listDomains()
    const machines = await this.#notePower(listing, domains, { hypervisor })
    const looks = await lookAtDisplays(link, machines, this.deps.displayTimeoutMs)
    const faults = await this.#noteFaults(looks, machines)
    for (const id of occupancy.noteLook(hypervisor, looks, startMs))
      this.deps.events.publish('viewersChanged', id)
    if (faults > 1 && faults === machines.filter(hasQemu).length) throw refusal('displays_silent')
    await this.#noteSeen(hypervisor)
    this.deps.events.publish('hypervisorSeen', hypervisor)
  }

  /**
   * Tells once of each machine that does not say who is connected, and once when it does again;
   * gives how many there are.
   */
  async #noteFaults(
    looks: ReadonlyMap<string, Look>,
    machines: readonly Machine[],
  ): Promise<number> {
    const { occupancy, store, log } = this.deps
    const known = new Set(occupancy.faulty())
    let faults = 0
    for (const { id, name } of machines) {
      const look = looks.get(id)
      const fault = look && 'fault' in look ? look.fault : null
      if (fault !== null) faults += 1
      if ((fault !== null) === known.has(id)) continue
      if (fault === null) log.info({ machine: name }, 'a machine says again who is connected')
      else log.warn({ machine: name, reason: fault }, 'a machine does not say who is connected')
      const action = fault === null ? 'machine.answering' : 'machine.unanswering'
      await recordEvent(store, BERTH, action, `machine:${name}`, { reason: fault ?? '' })
    }
    return faults
  }

  /** That a line is lost is told by those who keep it. */
  async #noteUnseen(hypervisor: string, error: unknown): Promise<void> {
    const { hypervisors, occupancy, store, log } = this.deps
    if (!hypervisors.names().includes(hypervisor)) return
    if (hypervisors.link(hypervisor).status().state !== 'up') return
    const reason = sentenceOf(error)
    occupancy.noteFault(hypervisor, reason)
    this.deps.events.publish('hypervisorUnseen', hypervisor)
    if (this.#unseen.has(hypervisor)) return
    this.#unseen.add(hypervisor)
    log.warn({ err: error, hypervisor }, 'a hypervisor that is up cannot be looked at')
    await recordEvent(store, BERTH, 'hypervisor.unseen', `hypervisor:${hypervisor}`, { reason })
  }

  async #noteSeen(hypervisor: string): Promise<void> {
    if (!this.#unseen.delete(hypervisor)) return
    this.deps.log.info({ hypervisor }, 'a hypervisor can be looked at again')
    await recordEvent(this.deps.store, BERTH, 'hypervisor.seen', `hypervisor:${hypervisor}`)
  }

  /**
   * Writes what a listing says of one machine, or of all on a host, unless a later listing has been
   * written; gives the machines as they are then.
   */
  async #notePower(
    listing: number,
    domains: readonly DomainState[],
    of: { readonly id: string } | { readonly hypervisor: string },
  ): Promise<Machine[]> {
    const powers = new Map(domains.map(({ uuid, power }) => [uuid, power]))
    return await inTransaction(this.deps.store, async (tx) => {
      const rows = await machinesOf(tx, of)
      const now: Machine[] = []
      for (const row of rows) {
        const late = (this.#writtenBy.get(row.id) ?? 0) > listing
        const power = late ? row.power : (powers.get(row.id) ?? 'missing')
        now.push({ ...row, power })
        if (late) continue
        this.#writtenBy.set(row.id, listing)
        if (power === row.power) continue
        await this.#writePower(tx, row, power)
        afterCommit(tx, () => {
          this.deps.events.publish('powerChanged', row.id, power, row.power)
        })
      }
      return now
    })
  }

  async #writePower(tx: Queries, { id, name }: Machine, power: PowerState): Promise<void> {
    const reasons: Partial<Record<PowerState, string>> = {
      missing: "Its hypervisor has no such domain; it was deleted behind Berth's back.",
      paused: this.#notes.get(name) ?? 'Paused by somebody.',
    }
    await tx
      .updateTable('machine')
      .set({ power, power_reason: reasons[power] ?? '', power_since: Date.now() })
      .where('id', '=', id)
      .execute()
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
    this.deps.occupancy.noteAway(hypervisor)
    this.#unseen.delete(hypervisor)
    const listing = ++this.#listings
    const machines = await this.deps.store
      .selectFrom('machine')
      .select(['id', 'power'])
      .where('hypervisor', '=', hypervisor)
      .where('power', '!=', 'unknown')
      .execute()
    if (machines.length === 0) return
    for (const { id } of machines) this.#writtenBy.set(id, listing)
    await this.deps.store
      .updateTable('machine')
      .set({
        power: 'unknown',
        power_reason: 'Its hypervisor does not answer.',
        power_since: Date.now(),
      })
      .where('hypervisor', '=', hypervisor)
      .execute()
    for (const machine of machines)
      this.deps.events.publish('powerChanged', machine.id, 'unknown', machine.power)
  }
}

async function machinesOf(
  queries: Queries,
  of: { readonly id: string } | { readonly hypervisor: string },
): Promise<Machine[]> {
  const query = queries.selectFrom('machine').select(['id', 'name', 'power'])
  return await (
    'id' in of ? query.where('id', '=', of.id) : query.where('hypervisor', '=', of.hypervisor)
  ).execute()
}
