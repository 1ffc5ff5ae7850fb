import type { Static } from '@sinclair/typebox'
import type {
  ForeignDomain,
  Machine,
  MachineAdopt,
  MachineCreate,
  MachinePatch,
  PowerRequest,
  DiscardChanges,
  MachineType,
} from '../api/machines.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import type { Events } from '../events/bus.js'
import { domainXml, parseDomainXml } from '../hypervisors/domain-xml.js'
import { refuseShared } from '../hypervisors/domain-template.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { MachineRow, NewMachine } from '../store/tables.js'
import { adoptedDisk, notesOn, refuseUnmanaged } from './adoption.js'
import {
  type Asked,
  ASKED,
  definitionFor,
  diskOf,
  domainOf,
  newMachineId,
  specOf,
} from './definition.js'
import {
  type DefineInput,
  type DeleteInput,
  type JobMachine,
  type PowerInput,
  toJobMachine,
} from './jobs.js'
import { expandNames } from './names.js'
import { freeMac, takeMacs } from './macs.js'
import type { Observer } from './observer.js'
import { nameOf, PARENT_TYPE, parentFor, refuseTypeChange } from './parents.js'
import {
  childrenOf,
  listMachines,
  type MachineFilter,
  machineOrChildren,
  requireMachine,
} from './store.js'

export interface MachinesDeps {
  readonly store: Store
  readonly events: Events
  readonly hypervisors: Hypervisors
  readonly jobs: JobRunner
  readonly observer: Observer
  readonly shutdownTimeoutMs: number
  /** Who has one of these machines, in words; null: nobody. Answered by those who hand machines out. */
  readonly holdersOf: (machineIds: readonly string[]) => Promise<string | null>
}

const GIB = 1_073_741_824

/** What callers may ask of machines. Every change is one transaction that records the wish, then a job does it. */
export class Machines {
  constructor(readonly deps: MachinesDeps) {}

  async show(name: string): Promise<Machine> {
    const row = await requireMachine(this.deps.store, name)
    const [machine] = await this.#list({ ids: [row.id] })
    if (!machine) throw new BrokerError('not_found', `There is no machine ${name}.`)
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
    const { ids, job } = await this.createNamed(
      wish,
      names.map((name, index) => ({
        name,
        hypervisor: wish.hypervisors[index % wish.hypervisors.length] ?? '',
      })),
      by,
    )
    return await this.#answer(ids, job)
  }

  /** As `create`, with each name and place given. `also` is done in the same transaction. */
  async createNamed(
    wish: Omit<MachineCreate, 'name' | 'hypervisors'>,
    places: ReadonlyArray<{ name: string; hypervisor: string }>,
    by: Actor,
    also: (tx: Queries, machines: readonly JobMachine[]) => Promise<void> = async () => {},
  ): Promise<{ ids: string[]; job: string }> {
    for (const hypervisor of new Set(places.map((place) => place.hypervisor)))
      this.deps.hypervisors.virtType(hypervisor)
    const ownDisk = wish.type === 'simple' || wish.type === 'source'
    const created = await inTransaction(this.deps.store, async (tx) => {
      const parent = await parentFor(tx, wish.type, wish.parent)
      await refuseSharedTemplate(tx, wish.domainXml, places.length)
      const rows: Array<ReturnType<typeof newRow>> = []
      for (const { name, hypervisor } of places) {
        const row = newRow(wish, name, hypervisor, parent, await freeMac(tx))
        await this.#insert(tx, row, [row.mac])
        rows.push(row)
      }
      const machines = rows.map(toJobMachine)
      const first = await requireMachine(tx, machines[0]?.name ?? '')
      // a faulty domain.xml is refused here, and then nothing is recorded
      domainXml(specOf(first, this.deps.hypervisors.row(first.hypervisor), 'qemu'))
      await also(tx, machines)
      const input: DefineInput = {
        machines,
        diskBytes: ownDisk ? Math.ceil(((wish.diskGib ?? 20) * GIB) / 512) * 512 : null,
        created: true,
      }
      const ids = machines.map((machine) => machine.id)
      return { ids, job: await this.#job(tx, 'define', first.name, input, machines, by, ids) }
    })
    this.deps.jobs.wake()
    return created
  }

  async adopt(
    wish: MachineAdopt,
    by: Actor,
  ): Promise<{ machines: Machine[]; job: null; notes: string[] }> {
    const link = this.deps.hypervisors.link(wish.hypervisor)
    const domains = await link.listDomains()
    if (!domains.some((domain) => domain.name === wish.name))
      throw new BrokerError(
        'not_found',
        `${wish.hypervisor} has no domain ${wish.name}: "berth hypervisor ` +
          `domains ${wish.hypervisor}" shows those that can be adopted.`,
      )
    const xml = await link.domainXml(wish.name)
    const domain = parseDomainXml(xml)
    const type = wish.type ?? 'simple'
    const disk = await adoptedDisk(link, domain.diskSource)
    refuseUnmanaged(wish.name, disk.disk, type)
    const notes = notesOn(wish.name, domain, disk)
    const row: Omit<NewMachine, 'mac'> & { id: string; name: string } = {
      id: domain.uuid,
      name: domain.name,
      type,
      hypervisor: wish.hypervisor,
      parent_id: null,
      disk: disk.disk,
      generation_id: null,
      wanted_generation_id: null,
      discard_changes: domain.transient ? 1 : 0,
      discard_on_reboot: domain.destroyOnReboot ? 1 : 0,
      memory_mib: domain.memoryMib,
      vcpus: domain.vcpus,
      network: domain.network,
      firmware: domain.firmware,
      serial: domain.serial || domain.name,
      domain_xml: xml,
      adopted: 1,
      power_since: Date.now(),
      wanted_power: null,
      created_at: Date.now(),
    }
    await inTransaction(this.deps.store, async (tx) => {
      const parent = await parentFor(tx, type, wish.parent)
      const mac = domain.mac || (await freeMac(tx))
      await this.#insert(tx, { ...row, mac, parent_id: parent?.id ?? null }, [mac, ...domain.macs])
      await recordEvent(tx, by, 'machine.adopt', `machine:${row.name}`, {
        hypervisor: wish.hypervisor,
        type,
        ...(notes.length === 0 ? {} : { notes }),
      })
    })
    await this.deps.observer.lookNow(wish.hypervisor)
    return { machines: await this.#list({ ids: [row.id] }), job: null, notes }
  }

  /** Domains of a host that Berth does not know. */
  async foreignDomains(hypervisor: string): Promise<Array<Static<typeof ForeignDomain>>> {
    const domains = await this.deps.hypervisors.link(hypervisor).listDomains()
    const known = await this.deps.store
      .selectFrom('machine')
      .select('id')
      .where('hypervisor', '=', hypervisor)
      .execute()
    return domains
      .filter((domain) => !known.some(({ id }) => id === domain.uuid))
      .map(({ name, power }) => ({ hypervisor, name, power }))
  }

  async change(
    name: string,
    patch: MachinePatch,
    by: Actor,
  ): Promise<{ machines: Machine[]; job: string }> {
    const asked = ASKED.filter((what) => patch[what] !== undefined)
    const current = await this.#definitionOf(await requireMachine(this.deps.store, name))
    const { id, job } = await inTransaction(this.deps.store, async (tx) => {
      const row = await requireMachine(tx, name)
      const type = patch.type ?? row.type
      refuseUnmanaged(name, row.disk, type)
      if (type !== row.type || patch.parent !== undefined) await refuseTypeChange(tx, row, type)
      const parent = await parentFor(tx, type, await parentAfter(tx, row, patch, type))
      const change = {
        type,
        parent_id: parent?.id ?? null,
        memory_mib: patch.memoryMib ?? row.memory_mib,
        vcpus: patch.vcpus ?? row.vcpus,
        network: patch.network ?? row.network,
        ...(type === row.type ? {} : { disk: this.#diskAs(type, row) }),
      }
      const { domainXml } = patch
      if (domainXml !== undefined) {
        await refuseSharedTemplate(tx, domainXml, 1, row.id)
        Object.assign(change, hardwareOf(patch, domainXml), { domain_xml: domainXml })
      }
      this.#refuseImpossible({ ...row, ...change }, current, asked)
      await tx.updateTable('machine').set(change).where('id', '=', row.id).execute()
      const said = domainXml === undefined ? patch : { ...patch, domainXml: 'given' }
      await recordEvent(tx, by, 'machine.change', `machine:${name}`, said)
      return { id: row.id, job: await this.#redefine(tx, [row], by, asked, Object.keys(change)) }
    })
    return await this.#answer([id], job)
  }

  /** What stands on an image has its disk from that. */
  #diskAs(type: MachineType, row: MachineRow): string | null {
    if (PARENT_TYPE[type]) return null
    return row.disk ?? diskOf(row, this.deps.hypervisors.row(row.hypervisor))
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
    const holders = force ? null : await this.deps.holdersOf([machine.id])
    if (holders !== null)
      throw new BrokerError('assigned', `${holders}: release it first, or use --force.`)
    const job = await inTransaction(this.deps.store, async (tx) => {
      const row = await requireMachine(tx, name)
      const children = await childrenOf(tx, row.id)
      if (children.length > 0 && !force) {
        const names = children.slice(0, 5).map((child) => child.name)
        if (children.length > 5) names.push('…')
        const [are, them] = children.length === 1 ? ['machine is', 'it'] : ['machines are', 'them']
        throw new BrokerError(
          'has_dependants',
          `${children.length} ${are} made from ${name} (${names.join(', ')}): delete ${them} first, or use --force.`,
        )
      }
      if (
        row.adopted === 0 &&
        !force &&
        row.power !== 'off' &&
        row.power !== 'missing' &&
        row.power !== 'crashed'
      )
        throw new BrokerError(
          'machine_running',
          `${name} is ${row.power}: shut it down first, or use --force.`,
        )
      // A source's initials live on: their images are whole copies.
      const doomed =
        row.type === 'initial' ? [...children.filter((child) => child.type === 'vdi'), row] : [row]
      const input: DeleteInput = { machines: doomed.map(toJobMachine), force }
      return await this.#job(
        tx,
        'delete',
        name,
        input,
        input.machines,
        by,
        doomed.map((machine) => machine.id),
      )
    })
    this.deps.jobs.wake()
    return job
  }

  async power(name: string, request: PowerRequest, by: Actor): Promise<string> {
    const job = await inTransaction(this.deps.store, async (tx) => {
      const rows = await machineOrChildren(tx, name, request.children ?? false)
      const input: PowerInput = {
        action: request.action,
        timeoutMs: request.timeoutMs ?? this.deps.shutdownTimeoutMs,
        machines: rows.map(toJobMachine),
      }
      // An unconditional plug must work while a shutdown still waits for its guest.
      const locks =
        request.action === 'poweroff' ? await this.#unlocked(tx, rows) : rows.map((row) => row.id)
      return await this.#job(tx, 'power', name, input, input.machines, by, locks)
    })
    this.deps.jobs.wake()
    return job
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
      return rows
    })
    for (const { id } of rows) this.deps.events.publish('maintenanceChanged', id)
    return await this.#list({ ids: rows.map((row) => row.id) })
  }

  /** Turns the virtual snapshot on or off. A running machine takes it over at its next start. */
  async setDiscardChanges(
    name: string,
    wish: DiscardChanges,
    by: Actor,
  ): Promise<{ machines: Machine[]; job: string }> {
    const current = new Map<string, string | null>()
    for (const row of await machineOrChildren(this.deps.store, name, wish.children ?? false))
      current.set(row.id, await this.#definitionOf(row))
    const { rows, job } = await inTransaction(this.deps.store, async (tx) => {
      const rows = await machineOrChildren(tx, name, wish.children ?? false)
      const other = rows.find((row) => row.type !== 'vdi')
      if (other)
        throw new BrokerError(
          'wrong_type',
          `${other.name} is a ${other.type} machine: only vdi machines throw their changes away.`,
        )
      for (const row of rows) {
        const onReboot = wish.onReboot ?? row.discard_on_reboot === 1
        const change = {
          discard_changes: wish.on ? 1 : 0,
          discard_on_reboot: wish.on && onReboot ? 1 : 0,
        } as const
        this.#refuseImpossible({ ...row, ...change }, current.get(row.id) ?? null, [])
        await tx.updateTable('machine').set(change).where('id', '=', row.id).execute()
      }
      await recordEvent(
        tx,
        by,
        `machine.discard-changes-${wish.on ? 'on' : 'off'}`,
        `machine:${name}`,
        { machines: rows.map((row) => row.name) },
      )
      const job = await this.#redefine(tx, rows, by, [], ['discard_changes', 'discard_on_reboot'])
      return { rows, job }
    })
    return await this.#answer(
      rows.map((row) => row.id),
      job,
    )
  }

  async xml(name: string): Promise<string> {
    const row = await requireMachine(this.deps.store, name)
    return await this.deps.hypervisors.link(row.hypervisor).domainXml(row.name)
  }

  async #list(filter: MachineFilter): Promise<Machine[]> {
    return await listMachines(this.deps.store, (id) => this.deps.observer.occupancy.use(id), filter)
  }

  async #answer(
    ids: readonly string[],
    job: string,
  ): Promise<{ machines: Machine[]; job: string }> {
    this.deps.jobs.wake()
    const machines: Machine[] = []
    for (let from = 0; from < ids.length; from += 500)
      machines.push(...(await this.#list({ ids: ids.slice(from, from + 500) })))
    return { machines, job }
  }

  /** What its host has of it now. Throws when that cannot be asked: what is not known cannot be changed safely. */
  async #definitionOf(row: MachineRow): Promise<string | null> {
    return await this.deps.hypervisors.link(row.hypervisor).definition(domainOf(row))
  }

  /** Before anything is recorded. */
  #refuseImpossible(row: MachineRow, current: string | null, asked: readonly Asked[]): void {
    const spec = specOf(row, this.deps.hypervisors.row(row.hypervisor), 'qemu')
    definitionFor(row, spec, current, asked)
  }

  async #insert(
    tx: Queries,
    row: NewMachine & { id: string; name: string },
    macs: readonly string[],
  ): Promise<void> {
    const taken = await tx
      .selectFrom('machine')
      .select(['name', 'hypervisor'])
      .where((eb) => eb.or([eb('name', '=', row.name), eb('id', '=', row.id)]))
      .executeTakeFirst()
    if (taken)
      throw new BrokerError(
        'name_taken',
        `There is a machine ${taken.name} on ${taken.hypervisor} already: choose another name.`,
      )
    const hypervisor = await tx
      .selectFrom('hypervisor')
      .select('name')
      .where((eb) => eb(eb.fn<string>('lower', ['name']), '=', row.name.toLowerCase()))
      .executeTakeFirst()
    if (hypervisor)
      throw new BrokerError(
        'name_taken',
        `There is a hypervisor ${hypervisor.name} already, and jobs name both: choose another name for the machine.`,
      )
    await tx.insertInto('machine').values(row).execute()
    await takeMacs(tx, row, macs)
  }

  async #job(
    tx: Queries,
    kind: string,
    subject: string,
    input: unknown,
    machines: readonly JobMachine[],
    by: Actor,
    locks: readonly string[],
  ): Promise<string> {
    return await this.deps.jobs.create(
      tx,
      { kind, subject, input, targets: machines.map((machine) => machine.name), locks },
      by,
    )
  }

  /** `rows` as they were before, of which `changed` is different now. */
  async #redefine(
    tx: Queries,
    rows: readonly MachineRow[],
    by: Actor,
    asked: readonly Asked[],
    changed: readonly string[],
  ): Promise<string> {
    const before = rows.map((row) => [
      row.id,
      Object.fromEntries(Object.entries(row).filter(([column]) => changed.includes(column))),
    ])
    const input: DefineInput = {
      machines: rows.map(toJobMachine),
      diskBytes: null,
      created: false,
      asked,
      before: Object.fromEntries(before),
    }
    return await this.#job(
      tx,
      'define',
      rows[0]?.name ?? '',
      input,
      input.machines,
      by,
      rows.map((row) => row.id),
    )
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

type Hardware = Pick<MachineCreate, 'memoryMib' | 'vcpus' | 'network' | 'firmware'>

/** The name that was asked for; without one the parent stays, unless the type changes. */
async function parentAfter(
  tx: Queries,
  row: MachineRow,
  { parent }: MachinePatch,
  type: MachineType,
): Promise<string | undefined> {
  if (parent !== undefined) return parent ?? undefined
  return type === row.type ? await nameOf(tx, row.parent_id) : undefined
}

/** What was not asked for is as the given domain XML has it. */
function hardwareOf(wish: Hardware, template: string | undefined) {
  const own: Partial<ReturnType<typeof parseDomainXml>> =
    template === undefined ? {} : parseDomainXml(template)
  return {
    memory_mib: wish.memoryMib ?? own.memoryMib ?? 2048,
    vcpus: wish.vcpus ?? own.vcpus ?? 2,
    network: wish.network ?? own.network ?? 'network:default',
    firmware: own.firmware ?? wish.firmware ?? 'bios',
  }
}

/**
 * One XML for several machines, in one request or one after the other, may hold nothing that can
 * belong to one only.
 */
async function refuseSharedTemplate(
  tx: Queries,
  template: string | undefined,
  count: number,
  except = '',
): Promise<void> {
  if (template === undefined) return
  const other = await tx
    .selectFrom('machine')
    .select('name')
    .where('domain_xml', '=', template)
    .where('id', '!=', except)
    .executeTakeFirst()
  if (count > 1 || other) refuseShared(template)
}

function newRow(
  wish: Omit<MachineCreate, 'name' | 'hypervisors'>,
  name: string,
  hypervisor: string,
  parent: MachineRow | null,
  mac: string,
): NewMachine & { id: string; name: string; hypervisor: string } {
  if ((wish.discardChanges ?? false) && wish.type !== 'vdi')
    throw new BrokerError(
      'wrong_type',
      'Only vdi machines throw their changes away: leave "discardChanges" out.',
    )
  return {
    id: newMachineId(),
    name,
    type: wish.type,
    hypervisor,
    parent_id: parent?.id ?? null,
    disk: null,
    generation_id: null,
    wanted_generation_id: null,
    discard_changes: wish.discardChanges ? 1 : 0,
    discard_on_reboot: wish.discardOnReboot ? 1 : 0,
    ...hardwareOf(wish, wish.domainXml),
    mac,
    serial: name,
    domain_xml: wish.domainXml ?? null,
    power_since: Date.now(),
    wanted_power: null,
    created_at: Date.now(),
  }
}
