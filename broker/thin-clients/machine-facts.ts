import type { Hypervisors } from '../hypervisors/service.js'
import { hasDisk } from '../machines/disks.js'
import type { Usage } from '../occupancy/usage.js'
import type { Store } from '../store/open.js'
import type { MachineFacts } from './policy.js'

/**
 * What there is to know of a machine for the holder (`thin-client:ID`, `user:NAME`) that asks; null
 * when there is no such machine.
 */
export async function machineFacts(
  deps: { store: Store; hypervisors: Hypervisors; usage: Usage },
  name: string,
  holder: string,
  startFailureOf: (machineId: string) => string | null,
): Promise<MachineFacts | null> {
  const row = await deps.store
    .selectFrom('machine')
    .leftJoin('job_lock', 'job_lock.machine_id', 'machine.id')
    .leftJoin('job', 'job.id', 'job_lock.job_id')
    .leftJoin('assignment', 'assignment.machine_id', 'machine.id')
    .select([
      'machine.id',
      'machine.name',
      'machine.hypervisor',
      'machine.type',
      'machine.power',
      'machine.power_reason',
      'machine.disk',
      'machine.generation_id',
      'machine.maintenance',
      'machine.maintenance_reason',
      'job.id as job_id',
      'job.kind as job_kind',
      'assignment.holder',
    ])
    .where('machine.name', '=', name)
    .executeTakeFirst()
  if (!row) return null
  const hypervisor = deps.hypervisors.row(row.hypervisor)
  const status = deps.hypervisors.link(row.hypervisor).status()
  const others = row.holder !== null && row.holder !== holder
  return {
    id: row.id,
    name: row.name,
    hypervisor: row.hypervisor,
    type: row.type,
    power: row.power,
    powerReason: row.power_reason,
    hasDisk: hasDisk(row),
    maintenance: row.maintenance === 1,
    maintenanceReason: row.maintenance_reason,
    hypervisorUp: status.state === 'up',
    hypervisorMaintenance: hypervisor.maintenance === 1,
    hypervisorReason: hypervisor.maintenance_reason,
    job:
      row.job_id === null || row.job_kind === null ? null : { id: row.job_id, kind: row.job_kind },
    takenBy: others ? await deps.usage.reason(row.id) : null,
    startFailure: startFailureOf(row.id),
  }
}
