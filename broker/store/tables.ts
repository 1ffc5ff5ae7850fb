import type { Generated, Insertable, Selectable, Updateable } from 'kysely'
import type { JobState, TargetState } from '../api/jobs.js'
import type { Flag } from './flag.js'
import type { AccountTable, TokenTable, GrantTable } from './user-tables.js'
import type {
  HypervisorTable,
  LeftoverTable,
  MachineMacTable,
  MachineTable,
  GenerationTable,
} from './machine-tables.js'
import type { PoolTable, DesktopTable, AssignmentTable } from './pool-tables.js'
import type {
  ThinClientTable,
  ThinClientMacTable,
  ThinClientOrderTable,
  DeviceLoginTable,
} from './thin-client-tables.js'

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
