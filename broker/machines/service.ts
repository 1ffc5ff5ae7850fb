import type { Static } from '@sinclair/typebox'
import type {
  DiscardChanges,
  ForeignDomain,
  Machine,
  MachineAdopt,
  MachineCreate,
  MachinePatch,
  MachineType,
  PowerRequest,
} from '../api/machines.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import { someOf } from '../errors/sentence.js'
import type { Events } from '../events/bus.js'
import { DEAD } from '../occupancy/policy.js'
import type { Queries } from '../store/open.js'
import { afterCommit, inTransaction } from '../store/transaction.js'
import type { MachineRow } from '../store/tables.js'
import { adoptDomain, foreignDomains } from './adopting.js'
import { changeDiscard, changeMachine } from './changing.js'
import { createMachines } from './creating.js'
import { type DeleteInput, type JobMachine, type PowerInput, toJobMachine } from './jobs.js'
import { expandNames } from './names.js'
import type { Observer } from './observer.js'
import { type OrderDeps, orderJob } from './ordering.js'
import {
  childrenOf,
  listMachines,
  type MachineFilter,
  machineOrChildren,
  requireMachine,
} from './store.js'

/** A machine that somebody has: both as they are called. */
export interface Held {
  readonly person: string
  readonly machine: string
}

export interface MachinesDeps extends OrderDeps {
  readonly events: Events
  readonly observer: Observer
  readonly shutdownTimeoutMs: number
  /** Who has this machine; null: nobody. Answered by those who hand machines out. */
  readonly holderOf: (machineId: string) => Promise<Held | null>
}

/** What callers may ask of machines. Every change is one transaction that records the wish, then a job does it. */
export class Machines {
  constructor(readonly deps: MachinesDeps) {}

  async show(name: string): Promise<Machine> {
    const row = await requireMachine(this.deps.store, name)
    const [machine] = await this.#list({ ids: [row.id] })
    if (!machine) throw refusal('machine_unknown', { machine: name })
    return machine
  }

  async list(
    query: { hypervisor?: string; type?: MachineType; parent?: string } = {},
  ): Promise<Machine[]> {
    const { parent, ...filter } = query
    return await this.#list({
      ...filter,
      ...(parent === undefined
        ? {}
        : { parentId: (await requireMachine(this.deps.store, parent)).id }),
    })
  }

  async create(wish: MachineCreate, by: Actor): Promise<{ machines: Machine[]; job: string }> {
    const names = expandNames(wish.name, wish.count ?? 1, wish.first ?? 1)
    const created = await this.createNamed(
      wish,
      names.map((name, index) => ({
        name,
        hypervisor: wish.hypervisors[index % wish.hypervisors.length] ?? '',
      })),
      by,
    )
    return await this.#answer(created)
  }

  /** As `create`, with each name and place given. `also` is done in the same transaction. */
  async createNamed(
    wish: Omit<MachineCreate, 'name' | 'hypervisors'>,
    places: ReadonlyArray<{ name: string; hypervisor: string }>,
    by: Actor,
    also: (tx: Queries, machines: readonly JobMachine[]) => Promise<void> = async () => {},
  ): Promise<{ ids: string[]; job: string }> {
    return await createMachines(this.deps, wish, places, by, also)
  }

  async adopt(
    wish: MachineAdopt,
    by: Actor,
  ): Promise<{ machines: Machine[]; job: null; notes: string[] }> {
    const { id, notes } = await adoptDomain(this.deps, wish, by)
    await this.deps.observer.lookNow(wish.hypervisor)
    return { machines: await this.#list({ ids: [id] }), job: null, notes }
  }

  /** Domains of a host that Berth does not know. */
  async foreignDomains(hypervisor: string): Promise<Array<Static<typeof ForeignDomain>>> {
    return await foreignDomains(this.deps, hypervisor)
  }

  async change(
    name: string,
    patch: MachinePatch,
    by: Actor,
  ): Promise<{ machines: Machine[]; job: string }> {
    return await this.#answer(await changeMachine(this.deps, name, patch, by))
  }

  /** Names who depends on it and refuses, unless forced: then they are deleted too. */
  async remove(name: string, force: boolean, by: Actor): Promise<string> {
    const machine = await requireMachine(this.deps.store, name)
    // A machine that was just made has not been looked at yet.
    if (
      machine.power === 'unknown' &&
      this.deps.hypervisors.link(machine.hypervisor).status().state === 'up'
    )
      await this.deps.observer.powerNow(machine)
    const holder = force ? null : await this.deps.holderOf(machine.id)
    if (holder !== null)
      throw refusal('machine_held', { person: holder.person, machine: holder.machine })
    return await inTransaction(this.deps.store, async (tx) => {
      const row = await requireMachine(tx, name)
      const children = await childrenOf(tx, row.id)
      if (!force) refuseNeeded(row, children)
      // A source's initials live on: their images are whole copies.
      const doomed =
        row.type === 'initial' ? [...children.filter((child) => child.type === 'vdi'), row] : [row]
      const input: DeleteInput = { machines: doomed.map(toJobMachine), force }
      return await orderJob(
        this.deps.jobs,
        tx,
        'delete',
        name,
        input,
        input.machines,
        by,
        doomed.map((machine) => machine.id),
      )
    })
  }

  async power(name: string, request: PowerRequest, by: Actor): Promise<string> {
    return await inTransaction(this.deps.store, async (tx) => {
      const rows = await machineOrChildren(tx, name, request.children ?? false)
      const input: PowerInput = {
        action: request.action,
        timeoutMs: request.timeoutMs ?? this.deps.shutdownTimeoutMs,
        machines: rows.map(toJobMachine),
      }
      // An unconditional plug must work while a shutdown still waits for its guest.
      const locks =
        request.action === 'poweroff' ? await this.#unlocked(tx, rows) : rows.map((row) => row.id)
      return await orderJob(this.deps.jobs, tx, 'power', name, input, input.machines, by, locks)
    })
  }

  async setMaintenance(
    name: string,
    on: boolean,
    reason: string,
    children: boolean,
    by: Actor,
  ): Promise<Machine[]> {
    const rows = await inTransaction(this.deps.store, async (tx) => {
      const rows = await machineOrChildren(tx, name, children)
      for (const row of rows)
        await tx
          .updateTable('machine')
          .set({ maintenance: on ? 1 : 0, maintenance_reason: on ? reason : '' })
          .where('id', '=', row.id)
          .execute()
      await recordEvent(tx, by, `machine.maintenance-${on ? 'on' : 'off'}`, `machine:${name}`, {
        reason,
        machines: rows.map((row) => row.name),
      })
      afterCommit(tx, () => {
        for (const { id } of rows) this.deps.events.publish('maintenanceChanged', id)
      })
      return rows
    })
    return await this.#list({ ids: rows.map((row) => row.id) })
  }

  /** Turns the virtual snapshot on or off. A running machine takes it over at its next start. */
  async setDiscardChanges(
    name: string,
    wish: DiscardChanges,
    by: Actor,
  ): Promise<{ machines: Machine[]; job: string }> {
    return await this.#answer(await changeDiscard(this.deps, name, wish, by))
  }

  async xml(name: string): Promise<string> {
    const row = await requireMachine(this.deps.store, name)
    return await this.deps.hypervisors.link(row.hypervisor).domainXml(row.name)
  }

  async #list(filter: MachineFilter): Promise<Machine[]> {
    return await listMachines(this.deps.store, (id) => this.deps.observer.occupancy.use(id), filter)
  }

  async #answer({
    ids,
    job,
  }: {
    readonly ids: readonly string[]
    readonly job: string
  }): Promise<{ machines: Machine[]; job: string }> {
    const machines: Machine[] = []
    for (let from = 0; from < ids.length; from += 500)
      machines.push(...(await this.#list({ ids: ids.slice(from, from + 500) })))
    return { machines, job }
  }

  async #unlocked(tx: Queries, rows: readonly MachineRow[]): Promise<string[]> {
    const locked = await tx
      .selectFrom('job_lock')
      .innerJoin('job', 'job.id', 'job_lock.job_id')
      .select('machine_id')
      .where('job.kind', '=', 'power')
      .where(
        'machine_id',
        'in',
        rows.map((row) => row.id),
      )
      .execute()
    return rows.map((row) => row.id).filter((id) => !locked.some((lock) => lock.machine_id === id))
  }
}

/** Throws `has_dependants` where others are made from it, and `machine_running`. */
function refuseNeeded({ name, power, adopted }: MachineRow, children: readonly MachineRow[]): void {
  if (children.length > 0) {
    const [only] = children
    throw children.length === 1 && only
      ? refusal('one_child', { machine: name, child: only.name })
      : refusal('has_children', {
          count: children.length,
          machine: name,
          children: someOf(children.map((child) => child.name)),
        })
  }
  if (adopted === 0 && !DEAD.includes(power))
    throw refusal('machine_not_off_force', { machine: name, power })
}
