import type { Machine, MachineType, PowerState } from '../api/machines.js'
import { refusal } from '../errors/broker-error.js'
import { generationName } from '../images/store.js'
import type { Use } from '../occupancy/occupancy.js'
import type { Queries } from '../store/open.js'
import type { MachineRow } from '../store/tables.js'
import { mapInTurns } from '../turn.js'

/** Throws `not_found`. Names are the same whatever the case of their letters. */
export async function requireMachine(queries: Queries, name: string): Promise<MachineRow> {
  const row = await queries
    .selectFrom('machine')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst()
  if (!row) throw refusal('machine_unknown', { machine: name })
  return row
}

/** As requireMachine, and of one of these types; throws `wrong_type`. */
export async function requireType(
  queries: Queries,
  name: string,
  types: readonly MachineType[],
): Promise<MachineRow> {
  const row = await requireMachine(queries, name)
  if (!types.includes(row.type))
    throw refusal('type_wrong', {
      machine: name,
      type: row.type,
      types,
    })
  return row
}

/** The machines made from this one: the initials of a source, the vdi machines of an initial; sorted by name. */
export async function childrenOf(queries: Queries, id: string): Promise<MachineRow[]> {
  return await queries
    .selectFrom('machine')
    .selectAll()
    .where('parent_id', '=', id)
    .orderBy('name')
    .execute()
}

/** The machine itself, or its children. Throws when there are none. */
export async function machineOrChildren(
  queries: Queries,
  name: string,
  children: boolean,
): Promise<MachineRow[]> {
  const row = await requireMachine(queries, name)
  if (!children) return [row]
  const rows = await childrenOf(queries, row.id)
  if (rows.length === 0) throw refusal('no_children', { machine: name })
  return rows
}

/** Of a machine whose host is away, `power` says that nothing is known. */
function useOf(
  { viewers, unknown }: Use,
  power: PowerState,
): Pick<Machine, 'viewers' | 'viewersUnknown'> {
  return { viewers: [...viewers], viewersUnknown: power === 'unknown' ? '' : (unknown ?? '') }
}

export interface MachineFilter {
  readonly hypervisor?: string
  readonly type?: MachineType
  readonly parentId?: string
  readonly ids?: readonly string[]
}

async function listedRows(queries: Queries, filter: MachineFilter) {
  return await queries
    .selectFrom('machine')
    .leftJoin('machine as parent', 'parent.id', 'machine.parent_id')
    .leftJoin('generation', 'generation.id', 'machine.generation_id')
    .leftJoin('job_lock', 'job_lock.machine_id', 'machine.id')
    .selectAll('machine')
    .select([
      'parent.name as parent_name',
      'generation.number as generation_number',
      'job_lock.job_id as job_id',
    ])
    .$if(filter.hypervisor !== undefined, (q) =>
      q.where('machine.hypervisor', '=', filter.hypervisor ?? ''),
    )
    .$if(filter.type !== undefined, (q) => q.where('machine.type', '=', filter.type ?? 'vdi'))
    .$if(filter.parentId !== undefined, (q) =>
      q.where('machine.parent_id', '=', filter.parentId ?? ''),
    )
    .$if(filter.ids !== undefined, (q) => q.where('machine.id', 'in', [...(filter.ids ?? [])]))
    .orderBy('machine.name')
    .execute()
}

/** Machines as the API shows them, sorted by name. `use` tells who is connected to a machine now. */
export async function listMachines(
  queries: Queries,
  use: (machineId: string) => Use,
  filter: MachineFilter = {},
): Promise<Machine[]> {
  const rows = await listedRows(queries, filter)
  return await mapInTurns(rows, (row) => ({
    id: row.id,
    name: row.name,
    type: row.type,
    hypervisor: row.hypervisor,
    parent: row.parent_name,
    generation:
      row.generation_number === null ? null : generationName({ number: row.generation_number }),
    renewPending: row.wanted_generation_id !== null,
    maintenance: row.maintenance === 1,
    maintenanceReason: row.maintenance_reason,
    discardChanges: row.discard_changes === 1,
    discardOnReboot: row.discard_on_reboot === 1,
    memoryMib: row.memory_mib,
    vcpus: row.vcpus,
    network: row.network,
    firmware: row.firmware,
    mac: row.mac,
    serial: row.serial,
    power: row.power,
    powerReason: row.power_reason,
    powerSince: new Date(row.power_since).toISOString(),
    ...useOf(use(row.id), row.power),
    job: row.job_id,
    createdAt: new Date(row.created_at).toISOString(),
  }))
}
