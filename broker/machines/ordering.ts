import type { Actor } from '../audit/store.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Queries, Store } from '../store/open.js'
import type { JobMachine } from './jobs.js'

/** With what machines are made and changed: what is wished is recorded, and a job does it. */
export interface OrderDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly jobs: JobRunner
}

/** Records the job, inside the caller's transaction. */
export async function orderJob(
  jobs: JobRunner,
  tx: Queries,
  kind: string,
  subject: string,
  input: unknown,
  machines: readonly JobMachine[],
  by: Actor,
  locks: readonly string[],
): Promise<string> {
  return await jobs.create(
    tx,
    { kind, subject, input, targets: machines.map((machine) => machine.name), locks },
    by,
  )
}
