import type { SimulatedHost } from '../../../broker/hypervisors/simulated.js'
import type { Store } from '../../../broker/store/open.js'
import type { Engine } from '../../support/simulated-engine.js'
import { PEOPLE } from './acts.js'
import { NamedMachine } from './named-machine.js'
import { isUp } from './pool-hosts.js'
import { type AssignedRow, assignedRows } from './pool-rows.js'
import { QueueMemory } from './queue-memory.js'

export const MINUTE_MS = 60_000
const RETENTION_MS = 10 * MINUTE_MS
/** The keeper looks as often in the walk's time. */
export const LOOK_MS = 30_000

/** What the walk itself knows of a person's desktop. */
interface Holding {
  machine: string
  connected: boolean
  idleMs: number
  begun: boolean
  fixed: boolean
}

/** What the walk itself knows of who may have what, without asking the broker, and what differs from it. */
export class PoolMemory {
  readonly faults: string[] = []
  readonly queue = new QueueMemory()
  readonly named = new NamedMachine('pc')
  readonly #holdings = new Map<string, Holding>()
  /** Machine to who used it last, and in which boot. */
  readonly #lastUse = new Map<string, { user: string; boot: number }>()
  readonly #permitted = new Set<string>(PEOPLE)
  /** Whom an administrator has given a desktop since the last look. */
  readonly #byHand = new Set<string>()

  constructor(readonly hosts: readonly SimulatedHost[]) {}

  /** Returns whose time is over. */
  due(): Set<string> {
    return this.#peopleWith(isDue)
  }

  /** Returns who has a desktop for a while only. */
  forAWhile(): Set<string> {
    return this.#peopleWith(({ fixed }) => !fixed)
  }

  #peopleWith(fits: (holding: Holding) => boolean): Set<string> {
    return new Set([...this.#holdings].filter(([, holding]) => fits(holding)).map(([user]) => user))
  }

  touch(user: string): void {
    const holding = this.#holdings.get(user)
    if (holding) holding.idleMs = 0
  }

  forget(user: string): void {
    this.#holdings.delete(user)
  }

  assigned(user: string, machine: string, fixed: boolean): void {
    this.#byHand.add(user)
    const holding = this.#holdings.get(user)
    if (holding) Object.assign(holding, { fixed, idleMs: 0 })
    else this.#holdings.set(user, { machine, connected: false, idleMs: 0, begun: false, fixed })
  }

  permit(user: string, permitted: boolean): void {
    if (permitted) this.#permitted.add(user)
    else this.#permitted.delete(user)
    this.queue.permit(user, permitted)
  }

  connected(user: string, machine: string, host: SimulatedHost, on: boolean): void {
    const holding = this.#holdings.get(user)
    if (holding && on !== holding.connected)
      Object.assign(holding, { connected: on, idleMs: 0, begun: true })
    if (on) this.#lastUse.set(machine, { user, boot: bootOf(host, machine) })
  }

  /** Lets time pass for every holding that is watched; whose time is over by then is added to `expected`. */
  async pass(store: Store, ms: number, expected: Set<string>): Promise<void> {
    for (const [user, holding] of this.#holdings) {
      const row = (await assignedRows(store)).find((one) => one.holder === `user:${user}`)
      if (row && row.name !== holding.machine && !holding.connected)
        Object.assign(holding, { machine: row.name, idleMs: 0, begun: false }) // they were given another one meanwhile
      const isWatched = isUp(this.#host(row?.hypervisor))
      if (isWatched && !holding.connected) holding.idleMs += ms
      if (isDue(holding)) expected.add(user) // due by now, or in this moment
    }
  }

  #host(name: string | undefined): SimulatedHost | undefined {
    return this.hosts.find((host) => host.name === name)
  }

  /** Compares with what the broker has written. */
  async check(engine: Engine, monotonicMs: number, expected: Set<string>): Promise<void> {
    const rows = await assignedRows(engine.store)
    const users = rows.map((row) => row.holder)
    if (new Set(users).size < users.length)
      this.faults.push('a person has two desktops of one pool')
    for (const row of rows.filter((one) => one.state !== 'assigned'))
      this.faults.push(`${row.name} is assigned and ${row.state ?? 'no desktop'}`)
    this.#checkQueue(rows, monotonicMs)
    this.faults.push(...(await this.named.faults(engine)))
    this.#checkLost(users, expected)
    for (const row of rows) this.#checkOne(row)
    await this.#checkStray(engine.store)
  }

  #checkQueue(rows: ReadonlyArray<{ holder: string }>, monotonicMs: number): void {
    this.faults.push(
      ...this.queue.look(
        new Set(rows.map((row) => row.holder.slice('user:'.length))),
        this.#byHand,
        this.#permitted,
        monotonicMs,
      ),
    )
    this.#byHand.clear()
  }

  #checkLost(users: readonly string[], expected: Set<string>): void {
    const lost = [...this.#holdings].filter(([user]) => !users.includes(`user:${user}`))
    for (const [user, holding] of lost) {
      if (!expected.has(user))
        this.faults.push(
          `${user} lost ${holding.machine}${holding.connected ? ' while connected' : ''} ` +
            `after ${holding.idleMs / MINUTE_MS} idle minutes`,
        )
      this.#holdings.delete(user)
      expected.delete(user) // what they are given next is another matter
    }
  }

  async #checkStray(store: Store): Promise<void> {
    const stray = await store
      .selectFrom('desktop')
      .leftJoin('assignment', 'assignment.machine_id', 'desktop.machine_id')
      .select('desktop.machine_id')
      .where('desktop.state', '=', 'assigned')
      .where('assignment.machine_id', 'is', null)
      .execute()
    if (stray.length > 0) this.faults.push('a desktop counts as assigned and nobody has it')
  }

  #checkOne(row: AssignedRow): void {
    const user = row.holder.slice('user:'.length)
    const host = this.#host(row.hypervisor)
    const before = this.#holdings.get(user)
    if (before && before.machine !== row.name && before.begun && before.connected)
      this.faults.push(`${user} was moved from ${before.machine} to ${row.name} while connected`)
    if (!before || before.machine !== row.name)
      this.#holdings.set(user, {
        machine: row.name,
        connected: false,
        idleMs: 0,
        begun: false,
        fixed: before?.fixed ?? false,
      })
    if ((this.#holdings.get(user)?.fixed ?? false) !== (row.fixed === 1))
      this.faults.push(
        `${user} has ${row.name} ${row.fixed === 1 ? 'for good' : 'for a while only'}`,
      )
    const last = this.#lastUse.get(row.name)
    const open = host && row.unclean === null && row.wanted === 0 && row.power === 'running'
    if (open && last && last.user !== user && bootOf(host, row.name) <= last.boot)
      this.faults.push(`${user} has ${row.name} as ${last.user} left it`)
  }

  /** What can be had is given to those who wait. */
  async checkNobodyWaitsForNothing(store: Store, monotonicMs: number): Promise<void> {
    const [waiting] = this.queue.waiting(monotonicMs)
    const up = this.hosts.filter(isUp).map((host) => host.name)
    const free = await store
      .selectFrom('pool_member')
      .select('name')
      .where('claimable', '>', 0)
      .where('hypervisor', 'in', [...up, ''])
      .executeTakeFirst()
    if (waiting !== undefined && free)
      this.faults.push(`${waiting} waits while ${free.name} is free`)
  }

  /** In the end every desktop is handed out, free or assigned again. */
  async checkNothingIsStuck(store: Store): Promise<void> {
    const stuck = await store
      .selectFrom('desktop')
      .innerJoin('machine', 'machine.id', 'desktop.machine_id')
      .select(['machine.name', 'desktop.state', 'desktop.reason'])
      .where('desktop.state', 'in', ['cleaning', 'building', 'deleting'])
      .execute()
    for (const one of stuck) this.faults.push(`${one.name} is ${one.state} for ever`)
  }
}

/** Its time is over, or is in this moment. */
function isDue({ connected, fixed, idleMs }: Holding): boolean {
  return !connected && !fixed && idleMs >= RETENTION_MS - LOOK_MS
}

function bootOf(host: SimulatedHost, machine: string): number {
  return host.domains.get(machine)?.boots ?? 0
}
