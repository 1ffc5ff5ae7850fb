import type { Store } from '../store/open.js'

/** So many starts tell what the next one takes; older ones were of another image or host. */
const STARTS_COUNTED = 15
const JOBS_LOOKED_AT = 300
/** Looked up again no more often than this. */
const KEPT_MS = 20_000
const START = '"action":"start"'

interface Start {
  readonly hypervisor: string
  readonly pool: string | null
  readonly ms: number
}

/** The value in the middle; null of none. Pure. */
export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted.length === 0 ? null : (sorted[Math.floor((sorted.length - 1) / 2)] ?? null)
}

/**
 * How long machines took to start lately: from the jobs that did it, so that a restart of the
 * broker forgets nothing.
 */
export class StartTimes {
  #starts: readonly Start[] = []
  #readAt = -Infinity

  constructor(readonly deps: { readonly store: Store; readonly monotonicMs: () => number }) {}

  /** The median of the pool's last starts, else of the hypervisor's; null when there were none. In milliseconds. */
  async expectedMs(place: {
    readonly poolId?: string
    readonly hypervisor?: string
  }): Promise<number | null> {
    if (this.deps.monotonicMs() - this.#readAt > KEPT_MS) {
      this.#starts = await this.#read()
      this.#readAt = this.deps.monotonicMs()
    }
    const of = (wanted: (start: Start) => boolean): number | null =>
      median(
        this.#starts
          .filter(wanted)
          .slice(0, STARTS_COUNTED)
          .map(({ ms }) => ms),
      )
    return (
      of(({ pool }) => pool !== null && pool === place.poolId) ??
      of(({ hypervisor }) => hypervisor === place.hypervisor)
    )
  }

  /** Starts of one machine each, the newest first: a job for many takes as long as all of them. */
  async #read(): Promise<Start[]> {
    const rows = await this.deps.store
      .selectFrom('job')
      .innerJoin('job_target', 'job_target.job_id', 'job.id')
      .innerJoin('machine', 'machine.name', 'job_target.name')
      .leftJoin('pool_member', 'pool_member.machine_id', 'machine.id')
      .select([
        'job.id',
        'job_target.name',
        'job.started_at',
        'job.finished_at',
        'machine.hypervisor',
        'pool_member.pool_id',
        'job_target.message',
      ])
      .where('job.kind', '=', 'power')
      .where('job.state', '=', 'succeeded')
      .where('job.input', 'like', `%${START}%`)
      .orderBy('job.created_at', 'desc')
      .limit(JOBS_LOOKED_AT)
      .execute()
    const targets = new Map<string, Set<string>>()
    for (const { id, name } of rows) targets.set(id, (targets.get(id) ?? new Set()).add(name))
    // A start with something to say did nothing: the machine ran already.
    return rows.flatMap(
      ({ id, message, started_at: from, finished_at: to, hypervisor, pool_id: pool }) =>
        targets.get(id)?.size === 1 && message === '' && from !== null && to !== null
          ? [{ hypervisor, pool, ms: to - from }]
          : [],
    )
  }
}
