import type { DiscardChanges, MachinePatch, MachineType } from '../api/machines.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Queries } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { MachineRow } from '../store/tables.js'
import { refuseUnmanaged } from './adoption.js'
import { hardwareOf, refuseSharedTemplate } from './creating.js'
import { type Asked, ASKED, definitionFor, diskOf, domainOf, specOf } from './definition.js'
import { type DefineInput, toJobMachine } from './jobs.js'
import { type OrderDeps, orderJob } from './ordering.js'
import { nameOf, PARENT_TYPE, parentFor, refuseTypeChange } from './parents.js'
import { machineOrChildren, requireMachine } from './store.js'

/** Records the change; the job carries it to the domain. */
export async function changeMachine(
  deps: OrderDeps,
  name: string,
  patch: MachinePatch,
  by: Actor,
): Promise<{ ids: string[]; job: string }> {
  const asked = ASKED.filter((what) => patch[what] !== undefined)
  const current = await definitionOf(deps, await requireMachine(deps.store, name))
  return await inTransaction(deps.store, async (tx) => {
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
      ...(type === row.type ? {} : { disk: diskAs(deps, type, row) }),
    }
    const { domainXml } = patch
    if (domainXml !== undefined) {
      await refuseSharedTemplate(tx, domainXml, 1, row.id)
      Object.assign(change, hardwareOf(patch, domainXml), { domain_xml: domainXml })
    }
    refuseImpossible(deps, { ...row, ...change }, current, asked)
    await tx.updateTable('machine').set(change).where('id', '=', row.id).execute()
    const said = domainXml === undefined ? patch : { ...patch, domainXml: 'given' }
    await recordEvent(tx, by, 'machine.change', `machine:${name}`, said)
    return { ids: [row.id], job: await redefine(deps, tx, [row], by, asked, Object.keys(change)) }
  })
}

/** Turns the virtual snapshot on or off. A running machine takes it over at its next start. */
export async function changeDiscard(
  deps: OrderDeps,
  name: string,
  wish: DiscardChanges,
  by: Actor,
): Promise<{ ids: string[]; job: string }> {
  const current = new Map<string, string | null>()
  for (const row of await machineOrChildren(deps.store, name, wish.children ?? false))
    current.set(row.id, await definitionOf(deps, row))
  return await inTransaction(deps.store, async (tx) => {
    const rows = await machineOrChildren(tx, name, wish.children ?? false)
    const other = rows.find((row) => row.type !== 'vdi')
    if (other) throw refusal('type_keeps_changes', { machine: other.name, type: other.type })
    for (const row of rows) {
      const onReboot = wish.onReboot ?? row.discard_on_reboot === 1
      const change = {
        discard_changes: wish.on ? 1 : 0,
        discard_on_reboot: wish.on && onReboot ? 1 : 0,
      } as const
      refuseImpossible(deps, { ...row, ...change }, current.get(row.id) ?? null, [])
      await tx.updateTable('machine').set(change).where('id', '=', row.id).execute()
    }
    await recordEvent(
      tx,
      by,
      `machine.discard-changes-${wish.on ? 'on' : 'off'}`,
      `machine:${name}`,
      { machines: rows.map((row) => row.name) },
    )
    const job = await redefine(deps, tx, rows, by, [], ['discard_changes', 'discard_on_reboot'])
    return { ids: rows.map(({ id }) => id), job }
  })
}

/** What its host has of it now. Throws when that cannot be asked: what is not known cannot be changed safely. */
async function definitionOf(deps: OrderDeps, row: MachineRow): Promise<string | null> {
  return await deps.hypervisors.link(row.hypervisor).definition(domainOf(row))
}

/** Before anything is recorded. */
function refuseImpossible(
  deps: OrderDeps,
  row: MachineRow,
  current: string | null,
  asked: readonly Asked[],
): void {
  const spec = specOf(row, deps.hypervisors.row(row.hypervisor), 'qemu')
  definitionFor(row, spec, current, asked)
}

/** What stands on an image has its disk from that. */
function diskAs(deps: OrderDeps, type: MachineType, row: MachineRow): string | null {
  if (PARENT_TYPE[type]) return null
  return row.disk ?? diskOf(row, deps.hypervisors.row(row.hypervisor))
}

/** `rows` as they were before, of which `changed` is different now. */
async function redefine(
  deps: OrderDeps,
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
  return await orderJob(
    deps.jobs,
    tx,
    'define',
    rows[0]?.name ?? '',
    input,
    input.machines,
    by,
    rows.map((row) => row.id),
  )
}

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
