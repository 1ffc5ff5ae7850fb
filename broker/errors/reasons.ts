import { ACCESS_REASONS } from './reasons/access.js'
import { ACCOUNT_REASONS } from './reasons/accounts.js'
import { ASSIGNMENT_REASONS } from './reasons/assignments.js'
import { CONSOLE_REASONS } from './reasons/consoles.js'
import { DIRECTORY_REASONS } from './reasons/directories.js'
import { DOMAIN_REASONS } from './reasons/domains.js'
import { FIELD_REASONS } from './reasons/fields.js'
import { HYPERVISOR_REASONS } from './reasons/hypervisors.js'
import { JOB_REASONS } from './reasons/jobs.js'
import { MACHINE_REASONS } from './reasons/machines.js'
import { POOL_REASONS } from './reasons/pools.js'
import { REQUEST_REASONS } from './reasons/requests.js'
import { STORE_REASONS } from './reasons/store.js'
import { THIN_CLIENT_REASONS } from './reasons/thin-clients.js'
import type { ValuesOf } from './sentence.js'

/**
 * Why the broker refuses something: a closed list. Each reason belongs to one code, and its sentence
 * says what is wrong, where, and what to do. `{{word}}` stands for a parameter.
 */
export const REASONS = {
  ...REQUEST_REASONS,
  ...FIELD_REASONS,
  ...ACCESS_REASONS,
  ...ACCOUNT_REASONS,
  ...DIRECTORY_REASONS,
  ...HYPERVISOR_REASONS,
  ...DOMAIN_REASONS,
  ...MACHINE_REASONS,
  ...JOB_REASONS,
  ...POOL_REASONS,
  ...ASSIGNMENT_REASONS,
  ...CONSOLE_REASONS,
  ...THIN_CLIENT_REASONS,
  ...STORE_REASONS,
}

export type Reason = keyof typeof REASONS

/** What the sentence of a reason needs. */
export type ParametersOf<R extends Reason> = ValuesOf<(typeof REASONS)[R]['sentence']>

/** The reasons whose sentence needs nothing. */
export type PlainReason = {
  [R in Reason]: ParametersOf<R> extends Readonly<Record<string, never>> ? R : never
}[Reason]
