import type { Generated } from 'kysely'
import type { MachineType, PowerState } from '../api/machines.js'
import type { Flag } from './flag.js'

export interface HypervisorTable {
  name: string
  address: string
  port: number
  display_address: string
  /** What was set; auto: as is found to be right. */
  listen_address: Generated<string>
  listen_found: string | null
  host_key_fingerprint: string
  virt_type_setting: 'auto' | 'kvm' | 'qemu'
  virt_type: 'kvm' | 'qemu' | null
  images_dir: string
  overlays_dir: string
  transient_dir: string
  max_starts: number
  maintenance: Generated<Flag>
  maintenance_reason: Generated<string>
  created_at: number
}

export interface LeftoverTable {
  id: Generated<number>
  hypervisor: string
  kind: 'domain' | 'image' | 'overlay'
  name: string
  /** The UUID of the domain, or for whom the file was made. */
  owner: string
  /** Only what this operation made is removed; null: whatever was made for the owner. */
  made_by: string | null
  noted_at: number
  /** Why the last try did not succeed; empty before the first. */
  fault: Generated<string>
}
export interface MachineMacTable {
  /** In lower case. */
  mac: string
  machine_id: string
}

export interface MachineTable {
  id: string
  name: string
  type: MachineType
  hypervisor: string
  parent_id: string | null
  disk: string | null
  generation_id: string | null
  wanted_generation_id: string | null
  maintenance: Generated<Flag>
  maintenance_reason: Generated<string>
  discard_changes: Generated<Flag>
  discard_on_reboot: Generated<Flag>
  memory_mib: number
  vcpus: number
  network: string
  firmware: 'bios' | 'uefi'
  mac: string
  serial: string
  domain_xml: string | null
  adopted: Generated<Flag>
  power: Generated<PowerState>
  power_reason: Generated<string>
  power_since: number
  wanted_power: 'on' | null
  created_at: number
  /** 1: its disk was made by a Berth that did not mark its files. */
  unmarked: Generated<Flag>
}

export interface GenerationTable {
  id: string
  initial_id: string
  number: number
  source_name: string | null
  state: 'copying' | 'ready' | 'collecting' | 'failed'
  current: Generated<Flag>
  file: string
  bytes: number | null
  virtual_bytes: number | null
  sha256: string | null
  method: string | null
  created_at: number
}
