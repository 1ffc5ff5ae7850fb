import { BERTH } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Job } from '../api/jobs.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobContext } from '../jobs/context.js'
import type { JobRunner } from '../jobs/runner.js'
import type { GoldenImages } from '../machines/golden-images.js'
import type { Machines } from '../machines/service.js'
import type { Store } from '../store/open.js'

export interface BuildInput {
  readonly pool: { readonly id: string; readonly name: string }
  readonly names: readonly string[]
}
export interface PoolJobDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly machines: Machines
  readonly images: GoldenImages
  readonly jobs: JobRunner
  readonly now: () => number
}

/** Waits until no job works on these machines. */
export async function unlocked(
  deps: PoolJobDeps,
  context: JobContext<BuildInput>,
  ids: readonly string[],
): Promise<void> {
  const locks =
    ids.length === 0
      ? []
      : await deps.store
          .selectFrom('job_lock')
          .select('job_id')
          .distinct()
          .where('machine_id', 'in', [...ids])
          .execute()
  for (const { job_id } of locks) await finished(deps.jobs, context, job_id)
}

/** Follows a job of another room to its end; a cancel of this one cancels that one. */
export async function finished(
  jobs: JobRunner,
  context: JobContext<never> | JobContext<BuildInput>,
  id: string,
): Promise<Job> {
  const cancel = (): void => {
    jobs.cancel(id, BERTH).catch(() => {})
  } // it may have ended meanwhile
  if (context.signal.aborted) cancel()
  context.signal.addEventListener('abort', cancel)
  try {
    return await jobs.ended(id)
  } finally {
    context.signal.removeEventListener('abort', cancel)
  }
}

/** As `finished`; throws when it did not succeed. */
export async function follow(
  jobs: JobRunner,
  context: JobContext<never> | JobContext<BuildInput>,
  id: string,
): Promise<void> {
  const job = await finished(jobs, context, id)
  if (job.state !== 'succeeded')
    throw refusal(job.state === 'cancelled' ? 'other_job_cancelled' : 'other_job_failed', {
      said: job.targets.find((target) => target.state === 'failed')?.message ?? job.message,
    })
}
