import type { Generated } from 'kysely'
import type { DesktopState } from '../api/pools.js'
import type { Flag } from './flag.js'

export interface PoolTable {
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

export interface DesktopTable {
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

export interface AssignmentTable {
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
