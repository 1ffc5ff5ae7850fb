import { EventEmitter } from 'node:events'
import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { countFailure } from '../background.js'
import { type Job, JOB_ENDED } from '../api/jobs.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { Queries, Store } from '../store/open.js'
import { afterCommit, inTransaction } from '../store/transaction.js'
import type { JobRow } from '../store/tables.js'
import { JobContext, type StepHook, journalOf } from './context.js'
import { enterState, insertJob, type JobFilter, type NewJob, noSuchJob, readJobs } from './store.js'
import { jobsToTake, nextFence } from './taking.js'
import { writeEnd } from './write-end.js'

export interface JobKind<I> {
  readonly kind: string
  /** Does the work; targets it leaves pending count as done when it returns. Throws when the whole job has failed. */
  readonly run: (context: JobContext<I>) => Promise<void>
}

export interface RunnerDeps {
  readonly store: Store
  readonly events: Events
  readonly log: Logger
  readonly hook?: StepHook
}

const LEASE_MS = 30_000
const LOOK_EVERY_MS = 1_000
const TAKE_UP_AFTER_MS = 5_000

/** Runs queued jobs, resumes those that a dead broker left, and tells who listens. */
export class JobRunner {
  readonly #kinds = new Map<string, JobKind<never>>()
  readonly #running = new Map<string, AbortController>()
  readonly #progress = new Map<string, Map<string, { done: number; total: number }>>()
  /** Of single jobs, by their ids: a follower of one wakes for that one alone. */
  readonly #changes = new EventEmitter().setMaxListeners(0)
  readonly #owner = randomUUID()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #isLookDue = false
  readonly #stopping = new AbortController()
  #fence = 0
  /** Jobs of this broker that failed to write down what became of them. */
  readonly #abandoned = new Set<string>()

  constructor(readonly deps: RunnerDeps) {}

  register<I>(kind: JobKind<I>): void {
    this.#kinds.set(kind.kind, kind)
  }

  /**
   * Records the wish, inside the caller's transaction; it is looked at when that is committed.
   * `noun`: what its subject is, for the audit log. Throws `busy`.
   */
  async create(
    queries: Queries,
    job: Omit<NewJob, 'id' | 'createdBy'>,
    by: Actor,
    noun = 'machine',
  ): Promise<string> {
    const id = randomUUID().slice(0, 8)
    await insertJob(queries, { ...job, id, createdBy: by.actor })
    await recordEvent(queries, by, `job.${job.kind}`, `${noun}:${job.subject}`, {
      job: id,
      targets: job.targets.length,
    })
    afterCommit(queries, () => {
      this.wake()
    })
    return id
  }

  /** Takes up what a crash left, then looks for work by timer and by signal. */
  async start(): Promise<void> {
    this.#fence = await nextFence(this.deps.store)
    this.#timer = setInterval(() => {
      this.wake()
    }, LOOK_EVERY_MS)
    this.wake()
  }

  /** A look soon; calls while one waits make one. */
  wake(): void {
    if (this.#isLookDue) return
    this.#isLookDue = true
    this.#looking = this.#looking
      .then(async () => {
        this.#isLookDue = false
        await this.#look()
      })
      .catch((error: unknown) => {
        countFailure('jobs.look', error)
        this.deps.log.error({ err: error }, 'looking for jobs failed')
      })
  }

  async get(id: string): Promise<Job> {
    const [job] = await readJobs(this.deps.store, this.#progressOf, { id })
    if (!job) throw noSuchJob(id)
    return job
  }

  async list(filter: JobFilter): Promise<Job[]> {
    return await readJobs(this.deps.store, this.#progressOf, filter)
  }

  async cancel(id: string, by: Actor): Promise<Job> {
    const job = await this.get(id)
    await inTransaction(this.deps.store, async (tx) => {
      // Also one that has not begun is ended by its own undo: what its creation reserved is taken back.
      if (!(await enterState(tx, id, 'cancelling')))
        throw refusal('job_ended', { job: id, state: job.state })
      await recordEvent(tx, by, 'job.cancel', `job:${id}`)
    })
    this.#running.get(id)?.abort()
    this.#changes.emit(id)
    return await this.get(id)
  }

  /** Calls `listener` after every change of the job until the returned function is called. */
  subscribe(id: string, listener: () => void): () => void {
    this.#changes.on(id, listener)
    return () => {
      this.#changes.off(id, listener)
    }
  }

  /** Resolves with the ended job. */
  async ended(id: string): Promise<Job> {
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        this.get(id)
          .then((job) => {
            if (!JOB_ENDED.includes(job.state)) return
            stop()
            resolve(job)
          })
          .catch((error: unknown) => {
            stop()
            reject(error instanceof Error ? error : new Error(String(error)))
          })
      }
      const stop = this.subscribe(id, look)
      look()
    })
  }

  /** Stops looking for work and leaves the running jobs as a crash would: the next start resumes them. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    clearInterval(this.#timer)
    await this.#looking
  }

  readonly #progressOf = (jobId: string, target: string): { done: number; total: number } =>
    this.#progress.get(jobId)?.get(target) ?? { done: 0, total: 0 }

  async #look(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const now = Date.now()
    await this.deps.store
      .updateTable('job')
      .set({ lease_until: now + LEASE_MS })
      .where('owner', '=', this.#owner)
      .execute()
    const rows = await jobsToTake(this.deps.store, this.#owner, [...this.#abandoned])
    for (const row of rows) await this.#take(row)
  }

  /**
   * The data directory is locked by one broker, so an owner that is not this process is dead; its
   * lease need not be waited for.
   */
  async #take(row: JobRow): Promise<void> {
    const abort = new AbortController()
    this.#running.set(row.id, abort) // before the state is read: a cancel that comes now finds it
    const lease = { owner: this.#owner, leaseUntil: Date.now() + LEASE_MS }
    const state = await inTransaction(this.deps.store, async (tx) => {
      const entered = (await enterState(tx, row.id, 'running', lease))
        ? 'running'
        : (await enterState(tx, row.id, 'cancelling', lease))
          ? 'cancelling'
          : null
      await tx.updateTable('job').set({ fence: this.#fence }).where('id', '=', row.id).execute()
      return entered
    })
    this.#abandoned.delete(row.id)
    if (state === null) return void this.#running.delete(row.id)
    if (state === 'cancelling') abort.abort()
    this.#run({ ...row, fence: this.#fence }, abort.signal).catch((error: unknown) => {
      if (this.#stopping.signal.aborted) return
      this.deps.log.error(
        { err: error, job: row.id },
        'the job could not be ended; it is taken up again',
      )
      setTimeout(() => {
        this.#giveUp(row.id).catch((cause: unknown) => {
          this.deps.log.error({ err: cause, job: row.id }, 'the job could not be given up')
        })
      }, TAKE_UP_AFTER_MS).unref()
    })
  }

  /**
   * Leaves a job as a crash would, so that the next look resumes it from its journal: its locks
   * must not last until the broker is restarted.
   */
  async #giveUp(id: string): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.#abandoned.add(id)
    this.#running.delete(id)
    this.wake()
  }

  async #run(row: JobRow, signal: AbortSignal): Promise<void> {
    const log = this.deps.log.child({ job: row.id, kind: row.kind })
    const kind = this.#kinds.get(row.kind)
    const journal = await journalOf(this.deps.store, row.id)
    const context = new JobContext<never>(
      {
        id: row.id,
        kind: row.kind,
        subject: row.subject,
        fence: row.fence,
        createdBy: row.created_by,
      },
      JSON.parse(row.input) as never,
      signal,
      {
        store: this.deps.store,
        hook: this.deps.hook ?? (() => {}),
        stopping: this.#stopping.signal,
        onChange: () => {
          this.#changes.emit(row.id)
        },
        onProgress: (target, done, total) => {
          this.#progressFor(row.id).set(target, { done, total })
        },
      },
      journal,
    )
    log.info({ subject: row.subject, resumed: journal.size > 0 }, 'job runs')
    let fault: unknown
    try {
      if (!kind) throw refusal('job_kind_unknown', { kind: row.kind })
      await kind.run(context)
    } catch (error) {
      fault = error
      if (this.#stopping.signal.aborted) return
      await context.undoAll(error, (step, undoError) => {
        log.error({ err: undoError, step }, 'undo failed')
      })
    }
    if (fault !== undefined) log.warn({ err: fault }, 'job failed')
    await this.#finish(row.id, fault, signal.aborted)
    log.info({}, 'job ended')
  }

  async #finish(id: string, fault: unknown, cancelled: boolean): Promise<void> {
    const locks = await this.deps.store
      .selectFrom('job_lock')
      .select('machine_id')
      .where('job_id', '=', id)
      .execute()
    await inTransaction(this.deps.store, async (tx) => {
      await writeEnd(tx, id, fault, cancelled)
    })
    this.#running.delete(id)
    this.#progress.delete(id)
    this.#changes.emit(id)
    this.deps.events.publish(
      'jobReleased',
      locks.map((lock) => lock.machine_id),
    )
  }

  #progressFor(id: string): Map<string, { done: number; total: number }> {
    const known = this.#progress.get(id) ?? new Map<string, { done: number; total: number }>()
    this.#progress.set(id, known)
    return known
  }
}
