import type { PoolPolicy } from '../api/pool-policy.js'
import { refusal } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Observer } from '../machines/observer.js'
import type { Queries, Store } from '../store/open.js'
import { afterCommit } from '../store/transaction.js'
import { faultsOfPolicy } from './policy.js'
import type { PoolWithPolicy } from './store.js'

export interface PoolsDeps {
  readonly store: Store
  readonly events: Events
  readonly jobs: JobRunner
  readonly observer: Observer
  readonly now: () => number
}

/** What members are made of; `golden`: the machine whose disk the initial is copied from. */
export interface Hardware {
  readonly golden?: string
  readonly memoryMib?: number
  readonly vcpus?: number
  readonly network?: string
  readonly discardChanges?: boolean
}

/** A wish that is recorded: the pool's id, and the job that carries it out, if one is needed. */
export interface Wished {
  readonly id: string
  readonly job: string | null
}

/** A wish about this pool is recorded: those who carry it out look when that is committed. */
export function wakeFor({ events }: PoolsDeps, tx: Queries, poolId: string): void {
  afterCommit(tx, () => {
    events.publish('poolChanged', poolId)
  })
}

/** Throws `invalid_request` with every fault of the policy. */
export function checkedPolicy(policy: PoolPolicy): PoolPolicy {
  const faults = faultsOfPolicy(policy)
  if (faults.length > 0)
    throw refusal(
      'policy_refused',
      { faults: faults.map(({ field, fault }) => `${field} ${fault}`).join('; ') },
      { details: faults },
    )
  return policy
}

/** Throws `busy`. */
export function refuseDeleting(pool: PoolWithPolicy): void {
  if (pool.state === 'deleting') throw refusal('pool_being_deleted', { pool: pool.name })
}
