import type { Generated, Insertable, Selectable } from 'kysely'
import type { JobState, TargetState } from '../api/jobs.js'
import type { MachineType, PowerState } from '../api/machines.js'
import type { Role } from '../api/users.js'

/** SQLite has no booleans: 0 or 1. */
export type Flag = 0 | 1

export interface Tables {
  setting: { name: string, value: string }
  event: { id: Generated<number>, at: number, actor: string, address: string, action: string, object: string, result: string, detail: string }
  account: { name: string, password_hash: string, role: Role, created_at: number }
  token: { hash: string, account: string, name: string, role: Role, created_at: number, expires_at: number | null, last_used_at: number | null }
  hypervisor: HypervisorTable
  machine: MachineTable
  generation: GenerationTable
  generation_copy: { generation_id: string, hypervisor: string }
  job: JobTable
  job_target: { job_id: string, name: string, position: number, state: TargetState, step: Generated<string>, message: Generated<string> }
  job_step: { job_id: string, target: string, step: string, result: string, at: number }
  job_lock: { machine_id: string, job_id: string }
  assignment: { machine_id: string, thin_client_id: string, assigned_at: number, ticket_at: number | null, connected_at: number | null, disconnected_at: number | null }
  thin_client: ThinClientTable
  console_seat: ConsoleSeatTable
}

interface ConsoleSeatTable {
  machine_id: string, holder_kind: 'person' | 'device', holder: string, address: string, via: 'direct' | 'proxy'
  ticket_at: number, connected_at: number | null, disconnected_at: number | null
}

interface HypervisorTable {
  name: string, address: string, port: number, display_address: string, host_key_fingerprint: string
  virt_type_setting: 'auto' | 'kvm' | 'qemu', virt_type: 'kvm' | 'qemu' | null
  images_dir: string, overlays_dir: string, transient_dir: string
  max_starts: number, maintenance: Generated<Flag>, maintenance_reason: Generated<string>, created_at: number
}

interface MachineTable {
  id: string, name: string, type: MachineType, hypervisor: string, parent_id: string | null, disk: string | null
  generation_id: string | null, wanted_generation_id: string | null
  maintenance: Generated<Flag>, maintenance_reason: Generated<string>, discard_changes: Generated<Flag>, discard_on_reboot: Generated<Flag>
  memory_mib: number, vcpus: number, network: string, firmware: 'bios' | 'uefi', mac: string, serial: string
  domain_xml: string | null, adopted: Generated<Flag>
  power: Generated<PowerState>, power_reason: Generated<string>, power_since: number, wanted_power: 'on' | null, created_at: number
}

interface GenerationTable {
  id: string, initial_id: string, number: number, source_name: string | null, state: 'copying' | 'ready' | 'collecting' | 'failed'
  current: Generated<Flag>, file: string, bytes: number | null, virtual_bytes: number | null, sha256: string | null, method: string | null, created_at: number
}

interface JobTable {
  id: string, kind: string, subject: string, state: JobState, message: Generated<string>, input: string, created_by: string
  owner: string | null, lease_until: number | null, fence: Generated<number>, created_at: number, started_at: number | null, finished_at: number | null
}

interface ThinClientTable {
  id: string, mac: string, key_hash: string | null, accepted: Flag, address: string, hostname: string, version: string
  assigned_machine_id: string | null, note: Generated<string>, first_seen: number, last_seen: number
}

export type HypervisorRow = Selectable<HypervisorTable>
export type MachineRow = Selectable<MachineTable>
export type NewMachine = Insertable<MachineTable>
export type GenerationRow = Selectable<GenerationTable>
export type JobRow = Selectable<JobTable>
export type ConsoleSeatRow = Selectable<ConsoleSeatTable>
export type ThinClientRow = Selectable<ThinClientTable>
