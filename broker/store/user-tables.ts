import type { Generated } from 'kysely'
import type { ObjectKind, SubjectKind } from '../api/permissions.js'
import type { Flag } from './flag.js'

export interface AccountTable {
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

export interface TokenTable {
  hash: string
  account: string
  name: string
  kind: 'login' | 'program'
  scopes: string | null
  created_at: number
  expires_at: number | null
  last_used_at: number | null
}

export interface GrantTable {
  object_kind: ObjectKind
  object_id: string
  subject_kind: SubjectKind
  subject_key: string
  subject: string
  machine_id: string | null
  verbs: string
  created_at: number
}
