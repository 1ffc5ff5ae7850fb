import { CHECKS } from '../api/checks.js'
import type { Actor } from '../audit/store.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { CHECK_JOB, type CheckInput } from './check-job.js'

export interface DoctorDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly jobs: JobRunner
}

/** Begins checks of hypervisors. */
export class Doctor {
  constructor(readonly deps: DoctorDeps) {}

  /** Gives the job whose targets are the checks: the one that runs already, or a new one. Throws `not_found`. */
  async check(hypervisor: string, by: Actor): Promise<string> {
    this.deps.hypervisors.row(hypervisor)
    const { jobs, store } = this.deps
    return await inTransaction(store, async (tx) => {
      const running = await tx
        .selectFrom('job')
        .select('id')
        .where('kind', '=', CHECK_JOB)
        .where('subject', '=', hypervisor)
        .where('finished_at', 'is', null)
        .executeTakeFirst()
      if (running) return running.id
      const input: CheckInput = { hypervisor }
      return await jobs.create(
        tx,
        { kind: CHECK_JOB, subject: hypervisor, input, targets: CHECKS, locks: [] },
        by,
        'hypervisor',
      )
    })
  }
}
