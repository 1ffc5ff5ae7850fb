import type { Generated, Insertable, Selectable, Updateable } from 'kysely'
import type { ORDER_STATES, OrderKind } from '../api/device-orders.js'
import type { JobState, TargetState } from '../api/jobs.js'
import type { MachineType, PowerState } from '../api/machines.js'
import type { ObjectKind, SubjectKind } from '../api/permissions.js'
import type { DesktopState } from '../api/pools.js'

/** SQLite has no booleans: 0 or 1. */
export type Flag = 0 | 1

export interface Tables {
  setting: { name: string; value: string }
  event: {
    id: Generated<number>
    at: number
    actor: string
    address: string
    action: string
    object: string
    result: string
    detail: string
    hash: string | null
  }
  account: AccountTable
  account_role: { account: string; role: string; source: string }
  token: TokenTable
  web_session: {
    hash: string
    account: string
    provider: string
    address: string
    created_at: number
    seen_at: number
    expires_at: number
  }
  login_failure: { subject: string; failures: number; last_at: number; blocked_until: number }
  login_flow: {
    hash: string
    kind: 'redirect' | 'device' | 'code' | 'code-handle'
    provider: string
    state: string
    expires_at: number
  }
  permission_grant: GrantTable
  hypervisor: HypervisorTable
  machine: MachineTable
  machine_mac: MachineMacTable
  generation: GenerationTable
  generation_copy: { generation_id: string; hypervisor: string; unmarked: Generated<Flag> }
  leftover: LeftoverTable
  job: JobTable
  job_target: {
    job_id: string
    name: string
    position: number
    state: TargetState
    step: Generated<string>
    message: Generated<string>
  }
  job_step: { job_id: string; target: string; step: string; result: string; at: number }
  job_lock: { machine_id: string; job_id: string }
  pool: PoolTable
  desktop: DesktopTable
  pool_member: {
    pool_id: string
    machine_id: string
    built: Flag
    claimable: Generated<0 | 1 | 2>
    hypervisor: string
    name: string
    fresh: Generated<Flag>
    used_at: Generated<number>
    running: Generated<Flag>
  }
  assignment: AssignmentTable
  machine_mirror: { machine_id: string; hash: string }
  waiter: { pool_id: string; holder: string; since: number; asked_at: number }
  thin_client: ThinClientTable
  thin_client_mac: ThinClientMacTable
  device_login: DeviceLoginTable
  thin_client_order: ThinClientOrderTable
  clients_xml_version: {
    id: Generated<number>
    at: number
    author: string
    etag: string
    clients: number
    bytes: number
    text: string
  }
  console_seat: ConsoleSeatTable
  drain: DrainTable
  history_minute: {
    at: number
    sessions: number
    assigned: number
    waiting: number
    longest_wait_ms: number
    starts: number
    start_ms: string
    waited_ms: string
  }
}

interface DrainTable {
  hypervisor: string
  began_at: number
  ordered_by: string
  message: string
  deadline: number | null
  warned_at: number | null
  total: number
  empty_at: number | null
}

interface ConsoleSeatTable {
  machine_id: string
  holder_kind: 'person' | 'device'
  holder: string
  address: string
  via: 'direct' | 'proxy' | 'browser'
  ticket_at: number
  connected_at: number | null
  disconnected_at: number | null
}

interface AccountTable {
  name: string
  name_key: string
  source: string
  subject: string | null
  password_hash: string | null
  display_name: Generated<string>
  disabled: Generated<Flag>
  created_at: number
  last_login_at: number | null
}

interface TokenTable {
  hash: string
  account: string
  name: string
  kind: 'login' | 'program'
  scopes: string | null
  created_at: number
  expires_at: number | null
  last_used_at: number | null
}

interface GrantTable {
  object_kind: ObjectKind
  object_id: string
  subject_kind: SubjectKind
  subject_key: string
  subject: string
  machine_id: string | null
  verbs: string
  created_at: number
}

interface HypervisorTable {
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

interface LeftoverTable {
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
interface MachineMacTable {
  /** In lower case. */
  mac: string
  machine_id: string
}

interface MachineTable {
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

interface GenerationTable {
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

interface JobTable {
  id: string
  kind: string
  subject: string
  state: JobState
  message: Generated<string>
  input: string
  created_by: string
  owner: string | null
  lease_until: number | null
  fence: Generated<number>
  created_at: number
  started_at: number | null
  finished_at: number | null
}

interface PoolTable {
  id: string
  name: string
  namespace: Generated<string>
  initial_id: string | null
  initial_made: Generated<Flag>
  policy: string
  hardware: string
  hypervisors: string
  size: number
  spares: number
  state: 'active' | 'deleting'
  maintenance: Generated<Flag>
  maintenance_reason: Generated<string>
  needed_at: number
  retry_at: Generated<number>
  tries: Generated<number>
  created_at: number
}

interface DesktopTable {
  machine_id: string
  state: DesktopState
  reason: Generated<string>
  since: number
  unclean: 'stop' | 'rebuild' | null
  last_holder: string | null
  fresh: Generated<Flag>
  used_at: Generated<number>
  tries: Generated<number>
  retry_at: Generated<number>
}

interface AssignmentTable {
  machine_id: string
  pool_id: string | null
  holder: string
  by_administrator: Generated<Flag>
  fixed: Generated<Flag>
  wanted: Generated<Flag>
  connected: Generated<Flag>
  assigned_at: number
  started_at: number | null
  ticket_at: number | null
  connected_at: number | null
  disconnected_at: number | null
  extended_at: number | null
  session_at: number | null
  idle_since: number
  stop_at: Generated<number | null>
  warned_for: number | null
  starts_failed: Generated<number>
}

interface ThinClientTable {
  id: string
  mac: string
  name: Generated<string>
  key_hash: string | null
  key_shown: Flag
  asker: string
  key_given_at: number
  accepted: Flag
  accept_for: Generated<string | null>
  accept_until: Generated<number>
  accept_as_new: Generated<Flag>
  address: string
  hostname: string
  believed_hostname: string | null
  version: string
  assigned_machine_id: Generated<string | null>
  assigned_pool_id: Generated<string | null>
  note: Generated<string>
  strangers_day: Generated<number>
  strangers: Generated<number>
  first_seen: number
  last_seen: number
}

interface ThinClientMacTable {
  thin_client_id: string
  mac: string
  believed: Flag
  first_seen: number
}

interface ThinClientOrderTable {
  id: string
  thin_client_id: string
  kind: OrderKind
  text: string
  seconds: number
  ordered_by: string
  state: (typeof ORDER_STATES)[number]
  sentence: string
  created_at: number
  expires_at: number
  sent_at: number | null
  finished_at: number | null
}

interface DeviceLoginTable {
  thin_client_id: string
  account: string
  since: number
  seen_at: number
  choice_kind: 'pool' | 'machine' | null
  choice: string | null
  machine_id: string | null
  ticket_at: number | null
  ends: string | null
}

export type AccountRow = Selectable<AccountTable>
export type GrantRow = Selectable<GrantTable>
export type HypervisorRow = Selectable<HypervisorTable>
export type MachineRow = Selectable<MachineTable>
export type LeftoverRow = Selectable<LeftoverTable>
export type NewMachine = Insertable<MachineTable>
export type MachineUpdate = Updateable<MachineTable>
export type GenerationRow = Selectable<GenerationTable>
export type JobRow = Selectable<JobTable>
export type PoolRow = Selectable<PoolTable>
export type DesktopRow = Selectable<DesktopTable>
export type AssignmentRow = Selectable<AssignmentTable>
export type ConsoleSeatRow = Selectable<ConsoleSeatTable>
export type ThinClientRow = Selectable<ThinClientTable>
export type ThinClientOrderRow = Selectable<ThinClientOrderTable>
export type DrainRow = Selectable<DrainTable>
export type HistoryMinuteRow = Selectable<Tables['history_minute']>
export type DeviceLoginRow = Selectable<DeviceLoginTable>
