import { sentenceOf } from '../errors/broker-error.js'
import type { Queries } from '../store/open.js'
import { doneBefore } from './context.js'
import { failuresIn, stateAtEnd } from './ending.js'
import { enterState, setTarget } from './store.js'

/** Writes down what became of a job and of its targets, inside the caller's transaction. `fault`: why it failed. */
export async function writeEnd(
  tx: Queries,
  id: string,
  fault: unknown,
  cancelled: boolean,
): Promise<void> {
  const message = fault === undefined ? '' : sentenceOf(fault)
  // A job that returned in spite of a cancel has done everything.
  if (cancelled && fault !== undefined) await endCancelled(tx, id)
  else
    await tx
      .updateTable('job_target')
      .set({
        state: fault === undefined ? 'done' : 'failed',
        ...(message === '' ? {} : { message }),
      })
      .where('job_id', '=', id)
      .where('state', 'in', ['pending', 'running'])
      .execute()
  const targets = await tx
    .selectFrom('job_target')
    .select('state')
    .where('job_id', '=', id)
    .execute()
  const states = targets.map((target) => target.state)
  const state = stateAtEnd(states, fault !== undefined, cancelled)
  if (state === 'cancelled') await enterState(tx, id, 'cancelling')
  await enterState(tx, id, state, { message: message || failuresIn(states) })
}

/** Each target that is left says what was done with it and that the rest was not. */
async function endCancelled(tx: Queries, id: string): Promise<void> {
  const left = await tx
    .selectFrom('job_target')
    .leftJoin('job_step', (join) =>
      join
        .onRef('job_step.job_id', '=', 'job_target.job_id')
        .onRef('job_step.target', '=', 'job_target.name'),
    )
    .select(['job_target.name', 'job_step.step'])
    .where('job_target.job_id', '=', id)
    .where('job_target.state', 'in', ['pending', 'running'])
    .orderBy('job_step.at')
    .execute()
  const steps = new Map<string, string[]>()
  for (const { name, step } of left)
    steps.set(name, [...(steps.get(name) ?? []), ...(step === null ? [] : [step])])
  for (const [name, done] of steps)
    await setTarget(tx, id, name, { state: 'cancelled', message: doneBefore(done) })
}
