import type { Generated } from 'kysely'
import type { ORDER_STATES, OrderKind } from '../api/device-orders.js'
import type { Flag } from './flag.js'

export interface ThinClientTable {
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

export interface ThinClientMacTable {
  thin_client_id: string
  mac: string
  believed: Flag
  first_seen: number
}

export interface ThinClientOrderTable {
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

export interface DeviceLoginTable {
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
