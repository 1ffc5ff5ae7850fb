import { setTimeout as delay } from 'node:timers/promises'
import type { TargetState } from '../api/jobs.js'
import { BrokerError, refusal, sentenceOf } from '../errors/broker-error.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { setTarget } from './store.js'

/** Called before a step acts and after its result is durable; a test may end the process there. */
export type StepHook = (point: {
  kind: string
  target: string
  step: string
  when: 'before' | 'after'
}) => void

export interface ContextDeps {
  readonly store: Store
  readonly onChange: () => void
  readonly onProgress: (target: string, done: number, total: number) => void
  readonly hook: StepHook
  /** The broker stops: what the job was doing is left as a crash would leave it. */
  readonly stopping: AbortSignal
}

/** The journal's entry of a job that has failed and is being undone: its sentence. */
const FAILED = key('', 'failed')
/** A hypervisor that went away comes back within this time, or the step fails. */
const PATIENCE_MS = 90_000
const NEVER = new AbortController().signal

/**
 * What a running job sees. Its `run` function is executed again from the top after a crash: a step
 * whose result is in the journal returns that result without acting; the first other one acts. A
 * step must therefore be idempotent: the crash may fall between its effect and its entry.
 */
export class JobContext<I> {
  readonly #undo: Array<{ target: string; step: string; undo: () => Promise<void> }> = []
  readonly #journal: Map<string, unknown>

  constructor(
    readonly job: { id: string; kind: string; subject: string; fence: number; createdBy: string },
    readonly input: I,
    readonly signal: AbortSignal,
    readonly deps: ContextDeps,
    journal: Map<string, unknown>,
  ) {
    this.#journal = journal
  }

  /** The id under which the hypervisor journals the effect of a step, so that a replay returns the first answer. */
  operation(target: string, step: string): string {
    return `${this.job.id}:${target}:${step}`
  }

  isDone(target: string, step: string): boolean {
    return this.#journal.has(key(target, step))
  }

  /** The steps of a target whose results are in the journal, in their order. */
  doneSteps(target: string): string[] {
    const prefix = key(target, '')
    return [...this.#journal.keys()]
      .filter((entry) => entry.startsWith(prefix))
      .map((entry) => entry.slice(prefix.length))
  }

  /**
   * Runs `act` once for this job and target and returns its (JSON) result. `undo` takes the effect
   * back, also a half-made one, when the job fails or is cancelled later. Throws `cancelled` before
   * a new step when the job is being cancelled.
   */
  async step<T>(
    target: string,
    step: string,
    act: () => Promise<T>,
    undo?: () => Promise<void>,
  ): Promise<T> {
    if (undo) this.#undo.push({ target, step, undo })
    if (this.isDone(target, step)) return this.#journal.get(key(target, step)) as T
    this.refuseIfCancelled()
    return await this.#act(target, step, act, this.signal)
  }

  /**
   * As `step`, for what must be ended once it has begun: a cancel does not stop it, nor the
   * patience with a line that is lost meanwhile.
   */
  async finish<T>(target: string, step: string, act: () => Promise<T>): Promise<T> {
    if (this.isDone(target, step)) return this.#journal.get(key(target, step)) as T
    return await this.#act(target, step, act, NEVER)
  }

  async #act<T>(
    target: string,
    step: string,
    act: () => Promise<T>,
    cancelled: AbortSignal,
  ): Promise<T> {
    await setTarget(this.deps.store, this.job.id, target, { state: 'running', step })
    this.deps.onChange()
    this.deps.hook({ kind: this.job.kind, target, step, when: 'before' })
    if (cancelled.aborted) this.refuseIfCancelled()
    const result = await this.patiently(act, cancelled)
    await this.record([target], step, result)
    return result
  }

  /** Enters a result for several targets of one batch at once. */
  async record(targets: readonly string[], step: string, result: unknown): Promise<void> {
    const at = Date.now()
    await inTransaction(this.deps.store, async (tx) => {
      for (const target of targets) {
        await tx
          .insertInto('job_step')
          .values({ job_id: this.job.id, target, step, result: JSON.stringify(result ?? null), at })
          .onConflict((oc) => oc.doNothing())
          .execute()
      }
    })
    for (const target of targets) {
      this.#journal.set(key(target, step), result)
      this.deps.hook({ kind: this.job.kind, target, step, when: 'after' })
    }
  }

  async end(target: string, state: TargetState, message = ''): Promise<void> {
    await setTarget(this.deps.store, this.job.id, target, { state, message })
    this.deps.onChange()
  }

  progress(target: string, done: number, total: number): void {
    this.deps.onProgress(target, done, total)
    this.deps.onChange()
  }

  /** From here on nothing is taken back: what was done so far stands, whatever happens to the rest. */
  pointOfNoReturn(): void {
    this.#undo.length = 0
  }

  /** Repeats an idempotent act while the hypervisor's line is lost, up to 90 s, or until `cancelled`. */
  async patiently<T>(act: () => Promise<T>, cancelled: AbortSignal = this.signal): Promise<T> {
    const until = performance.now() + PATIENCE_MS
    for (let waitMs = 250; ; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        return await act()
      } catch (error) {
        // lines are being closed: that is no failure of the job
        if (this.deps.stopping.aborted) return await new Promise<never>(() => {})
        const lost =
          error instanceof BrokerError &&
          (error.code === 'hypervisor_unreachable' || error.code === 'timeout')
        if (!lost || cancelled.aborted || performance.now() > until) throw error
        await delay(waitMs, undefined, {
          signal: AbortSignal.any([cancelled, this.deps.stopping]),
        }).catch(() => {
          if (cancelled.aborted) this.refuseIfCancelled()
        })
      }
    }
  }

  /** The answer of something that only looks; at a cancel nobody waits for it any more. */
  async unlessCancelled<T>(look: Promise<T>): Promise<T> {
    this.refuseIfCancelled()
    let giveUp = (): void => {}
    const cancelled = new Promise<never>((_resolve, reject) => {
      giveUp = () => {
        reject(refusal('job_cancelled'))
      }
      this.signal.addEventListener('abort', giveUp)
    })
    try {
      return await Promise.race([look, cancelled])
    } finally {
      this.signal.removeEventListener('abort', giveUp)
    }
  }

  refuseIfCancelled(): void {
    const failure = this.#journal.get(FAILED)
    if (failure !== undefined) throw refusal('other_job_cancelled', { said: String(failure) })
    if (this.signal.aborted) throw refusal('job_cancelled')
  }

  /**
   * Takes back, newest first, what the steps did. Each leaves the journal before it is undone, so
   * that a crash in between repeats it. That the job has failed is journaled first: who takes it
   * over must go on undoing, and not do a step again whose result the host remembers and the undo
   * has removed.
   */
  async undoAll(fault: unknown, onFault: (step: string, error: unknown) => void): Promise<void> {
    if (this.#undo.length > 0 && !this.signal.aborted && !this.#journal.has(FAILED)) {
      await this.deps.store
        .insertInto('job_step')
        .values({
          job_id: this.job.id,
          target: '',
          step: 'failed',
          result: JSON.stringify(sentenceOf(fault)),
          at: Date.now(),
        })
        .execute()
    }
    for (const { target, step, undo } of this.#undo.splice(0).reverse()) {
      await this.deps.store
        .deleteFrom('job_step')
        .where('job_id', '=', this.job.id)
        .where('target', '=', target)
        .where('step', '=', step)
        .execute()
      this.deps.hook({ kind: this.job.kind, target, step: `undo ${step}`, when: 'before' })
      try {
        await undo()
      } catch (error) {
        onFault(step, error)
      }
    }
  }
}

function key(target: string, step: string): string {
  return `${target}\n${step}`
}

/** The step by which a job takes back what it did with a target; it is journaled before, with its reason. */
export const TAKEN_BACK = 'taken back'

/** What a cancelled job has done with a target, and that the rest was not done. */
export function doneBefore(steps: readonly string[]): string {
  if (steps.includes(TAKEN_BACK))
    return steps.length === 1
      ? 'The job was cancelled: nothing was done here.'
      : 'The job was cancelled: what it had made here was taken back.'
  return steps.length === 0
    ? 'The job was cancelled: nothing was done here.'
    : `The job was cancelled. Done before: ${steps.join(', ')}; the rest was not.`
}

/** Ends a target with the sentence of its error; cancellation is not a failure. */
export async function endFailed(
  context: JobContext<unknown>,
  target: string,
  error: unknown,
): Promise<void> {
  const cancelled = error instanceof BrokerError && error.code === 'cancelled'
  const steps = cancelled ? context.doneSteps(target) : []
  const sentence = steps.length > 0 ? doneBefore(steps) : sentenceOf(error)
  await context.end(target, cancelled ? 'cancelled' : 'failed', sentence)
}

/** What the steps that are done have given, by target and step. */
export async function journalOf(store: Store, jobId: string): Promise<Map<string, unknown>> {
  const steps = await store
    .selectFrom('job_step')
    .select(['target', 'step', 'result'])
    .where('job_id', '=', jobId)
    .execute()
  return new Map(
    steps.map((step) => [`${step.target}\n${step.step}`, JSON.parse(step.result) as unknown]),
  )
}
