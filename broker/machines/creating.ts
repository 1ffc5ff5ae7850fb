import type { MachineCreate } from '../api/machines.js'
import type { Actor } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import { refuseShared } from '../hypervisors/domain-template.js'
import { domainXml, parseDomainXml } from '../hypervisors/domain-xml.js'
import type { Queries } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { MachineRow, NewMachine } from '../store/tables.js'
import { newMachineId, specOf } from './definition.js'
import { type DefineInput, type JobMachine, toJobMachine } from './jobs.js'
import { freeMac, takeMacs } from './macs.js'
import { type OrderDeps, orderJob } from './ordering.js'
import { parentFor } from './parents.js'
import { requireMachine } from './store.js'

const GIB = 1_073_741_824

/** Makes machines, with each name and place given. `also` is done in the same transaction. */
export async function createMachines(
  { store, hypervisors, jobs }: OrderDeps,
  wish: Omit<MachineCreate, 'name' | 'hypervisors'>,
  places: ReadonlyArray<{ name: string; hypervisor: string }>,
  by: Actor,
  also: (tx: Queries, machines: readonly JobMachine[]) => Promise<void> = async () => {},
): Promise<{ ids: string[]; job: string }> {
  for (const hypervisor of new Set(places.map((place) => place.hypervisor)))
    hypervisors.virtType(hypervisor)
  const ownDisk = wish.type === 'simple' || wish.type === 'source'
  return await inTransaction(store, async (tx) => {
    const parent = await parentFor(tx, wish.type, wish.parent)
    await refuseSharedTemplate(tx, wish.domainXml, places.length)
    const rows: Array<ReturnType<typeof newRow>> = []
    for (const { name, hypervisor } of places) {
      const row = newRow(wish, name, hypervisor, parent, await freeMac(tx))
      await insertMachine(tx, row, [row.mac])
      rows.push(row)
    }
    const machines = rows.map(toJobMachine)
    const first = await requireMachine(tx, machines[0]?.name ?? '')
    // a faulty domain.xml is refused here, and then nothing is recorded
    domainXml(specOf(first, hypervisors.row(first.hypervisor), 'qemu'))
    await also(tx, machines)
    const input: DefineInput = {
      machines,
      diskBytes: ownDisk ? Math.ceil(((wish.diskGib ?? 20) * GIB) / 512) * 512 : null,
      created: true,
    }
    const ids = machines.map((machine) => machine.id)
    return { ids, job: await orderJob(jobs, tx, 'define', first.name, input, machines, by, ids) }
  })
}

/** Throws `name_taken`. Inside the caller's transaction. */
export async function insertMachine(
  tx: Queries,
  row: NewMachine & { id: string; name: string },
  macs: readonly string[],
): Promise<void> {
  const taken = await tx
    .selectFrom('machine')
    .select(['name', 'hypervisor'])
    .where((eb) => eb.or([eb('name', '=', row.name), eb('id', '=', row.id)]))
    .executeTakeFirst()
  if (taken) throw refusal('machine_taken', { machine: taken.name, hypervisor: taken.hypervisor })
  const hypervisor = await tx
    .selectFrom('hypervisor')
    .select('name')
    .where((eb) => eb(eb.fn<string>('lower', ['name']), '=', row.name.toLowerCase()))
    .executeTakeFirst()
  if (hypervisor) throw refusal('machine_named_like_hypervisor', { hypervisor: hypervisor.name })
  await tx.insertInto('machine').values(row).execute()
  await takeMacs(tx, row, macs)
}

type Hardware = Pick<MachineCreate, 'memoryMib' | 'vcpus' | 'network' | 'firmware'>

/** What was not asked for is as the given domain XML has it. */
export function hardwareOf(wish: Hardware, template: string | undefined) {
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
export async function refuseSharedTemplate(
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
  if ((wish.discardChanges ?? false) && wish.type !== 'vdi') throw refusal('discard_is_for_vdi')
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
