import type { Job } from '../api/jobs.js'
import { BERTH, recordEvent } from '../audit/store.js'
import { BrokerError, refusal } from '../errors/broker-error.js'
import { endFailed, type JobContext } from '../jobs/context.js'
import type { JobKind } from '../jobs/runner.js'
import { OTHER_JOB_TRIES } from './build-image.js'
import { finished, type PoolJobDeps } from './following.js'
import { forgetGrants } from '../users/grants.js'
import { enterDesktop } from './store.js'
import { inTransaction } from '../store/transaction.js'

/** `forget`: the pool itself goes too; `initial`: the initial that it made for itself. */
export interface RemoveInput {
  readonly pool: { readonly id: string; readonly name: string }
  readonly machines: ReadonlyArray<{ readonly id: string; readonly name: string }>
  readonly forget: boolean
  readonly initial: string | null
}

export interface RemoveDeps extends PoolJobDeps {
  /** Ends every assignment of the pool. Answered by those who hand machines out. */
  readonly releaseAll: (poolId: string) => Promise<void>
}

/**
 * Members first, then the initial that the pool made, then the pool: what is left after a failure
 * can be deleted again.
 */
export function removeJob(deps: RemoveDeps): JobKind<RemoveInput> {
  return {
    kind: 'pool-remove',
    run: async (context) => {
      const { pool, machines, forget, initial } = context.input
      if (forget)
        await context.step(`${pool.name} itself`, 'release', async () => {
          await deps.releaseAll(pool.id)
        })
      await Promise.all(
        machines.map(async (machine) => {
          try {
            await context.step(machine.name, 'delete', async () => {
              await removeOne(deps, context, machine)
            })
            await context.end(machine.name, 'done')
          } catch (error) {
            await endFailed(context as JobContext<unknown>, machine.name, error)
          }
        }),
      )
      if (forget)
        await context.finish(`${pool.name} itself`, 'forget', async () => {
          await forgetPool(deps, context, pool, initial)
        })
    },
  }
}

async function removeOne(
  deps: RemoveDeps,
  context: JobContext<RemoveInput>,
  machine: { id: string; name: string },
): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const row = await deps.store
      .selectFrom('machine')
      .select('name')
      .where('id', '=', machine.id)
      .executeTakeFirst()
    if (!row) return
    const state = await deps.store
      .selectFrom('desktop')
      .select('state')
      .where('machine_id', '=', machine.id)
      .executeTakeFirst()
    if (state && !(await enterDesktop(deps.store, machine.id, 'deleting', {}, deps.now())))
      throw refusal('member_given_meanwhile', { machine: row.name, state: state.state })
    try {
      const job = await finished(
        deps.jobs,
        context as JobContext<never>,
        await deps.machines.remove(row.name, true, BERTH),
      )
      if (job.state === 'cancelled') return await keepAfterAll(deps, machine)
      if (job.state !== 'succeeded') throw failureOf(job)
      return
    } catch (error) {
      // Another job, a start perhaps, works on it: then it is deleted after that.
      const lock = await deps.store
        .selectFrom('job_lock')
        .select('job_id')
        .where('machine_id', '=', machine.id)
        .executeTakeFirst()
      if (!(error instanceof BrokerError && error.code === 'busy') || tries >= OTHER_JOB_TRIES)
        throw error
      if (lock) await finished(deps.jobs, context as JobContext<never>, lock.job_id)
    }
  }
}

/**
 * Its deletion was cancelled before it had begun. Whether it is as clean as it was, nobody knows:
 * it is handed to nobody until it is rebuilt or removed.
 */
async function keepAfterAll(deps: RemoveDeps, machine: { readonly id: string }): Promise<never> {
  const reason = 'Its removal was cancelled: rebuild it, or remove it again.'
  await enterDesktop(deps.store, machine.id, 'failed', { reason }, deps.now(), ['deleting'])
  throw refusal('job_cancelled_removal')
}

async function forgetPool(
  deps: RemoveDeps,
  context: JobContext<RemoveInput>,
  pool: { id: string; name: string },
  initial: string | null,
): Promise<void> {
  await refuseLeft(deps, context)
  if (initial !== null) await removeInitial(deps, context, pool, initial)
  await inTransaction(deps.store, async (tx) => {
    const members = await tx
      .selectFrom('pool_member')
      .select('machine_id')
      .where('pool_id', '=', pool.id)
      .execute()
    await forgetGrants(tx, 'pool', pool.id)
    await tx.deleteFrom('pool').where('id', '=', pool.id).execute()
    for (const { machine_id } of members) {
      const other = await tx
        .selectFrom('pool_member')
        .select('pool_id')
        .where('machine_id', '=', machine_id)
        .limit(1)
        .executeTakeFirst()
      if (!other) await tx.deleteFrom('desktop').where('machine_id', '=', machine_id).execute()
    }
    await recordEvent(tx, BERTH, 'pool.deleted', `pool:${pool.name}`)
  })
}

async function refuseLeft(deps: RemoveDeps, context: JobContext<RemoveInput>): Promise<void> {
  const left = await deps.store
    .selectFrom('machine')
    .select('name')
    .where(
      'id',
      'in',
      context.input.machines.length === 0
        ? ['']
        : context.input.machines.map((machine) => machine.id),
    )
    .execute()
  if (left.length > 0) throw refusal('members_left', { machines: left.map((row) => row.name) })
}

/** The pool's initial machine, unless something else is made from it. */
async function removeInitial(
  deps: RemoveDeps,
  context: JobContext<RemoveInput>,
  pool: { readonly id: string },
  initial: string,
): Promise<void> {
  const others = await deps.store
    .selectFrom('machine')
    .select('name')
    .where('parent_id', '=', initial)
    .limit(1)
    .executeTakeFirst()
  const usedBy = await deps.store
    .selectFrom('pool')
    .select('name')
    .where('initial_id', '=', initial)
    .where('id', '!=', pool.id)
    .limit(1)
    .executeTakeFirst()
  const row =
    others || usedBy
      ? undefined
      : await deps.store
          .selectFrom('machine')
          .select(['id', 'name'])
          .where('id', '=', initial)
          .executeTakeFirst()
  if (row) await removeOne(deps, context, row)
}

function failureOf({ targets, message }: Job): BrokerError {
  const failed = targets.find((target) => target.state === 'failed')
  return refusal('other_job_failed', { said: failed?.message ?? message })
}
