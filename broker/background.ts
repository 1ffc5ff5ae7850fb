import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { isStoreFault } from './store/faults.js'

/** How often work failed that nobody waits for, since this process began: by what it was. For /metrics and /readyz. */
const failures = new Map<string, { count: number; lastAt: number }>()

const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 30_000
/** So much work at most waits for the database; what comes then has its tries only. */
const MOST_WAITING = 10_000
let waiting = 0

export interface BackgroundWork {
  readonly log: Logger
  /** Names the work in log and metrics, such as `thin-clients.seen`: a closed list, never a name that somebody gave. */
  readonly what: string
  readonly work: () => Promise<unknown>
  /**
   * How often it is tried again when it fails, each time later. Nothing (0) for work that a timer brings back anyway.
   * A database that takes no writes uses up no try: what is to be done is done when it takes them again.
   */
  readonly retries?: number
  /** Ends the retries. */
  readonly signal?: AbortSignal
}

/**
 * Does something that nobody waits for. Never throws and never leaves a rejected promise behind,
 * which would end the process: a failure is logged, counted, and tried again where nothing else
 * would.
 */
export function inBackground(background: BackgroundWork): void {
  attempts(background).catch((error: unknown) => {
    process.stderr.write(
      `berth-broker: ${background.what} failed, and so did its log: ${String(error)}\n`,
    )
  })
}

async function attempts({ log, what, work, retries = 0, signal }: BackgroundWork): Promise<void> {
  for (let [tries, waits] = [0, 0]; ;) {
    try {
      await work()
      return
    } catch (error) {
      countFailure(what, error)
      const isWaiting = retries > 0 && mayWait(error)
      const isLast = signal?.aborted === true || (!isWaiting && tries >= retries)
      if (isWaiting) waits += 1
      else tries += 1
      // Where everything waits for one disk, one line for each is enough.
      if (!isWaiting || waits === 1)
        log.error({ err: error, what, tries, again: !isLast }, 'background work failed')
      if (isLast) return
      await pause(tries + waits - 1, isWaiting)
    }
  }
}

/** Whether the database is what failed: then a try is not used up, unless too many wait for it. */
function mayWait(error: unknown): boolean {
  return isStoreFault(error) && waiting < MOST_WAITING
}

async function pause(before: number, isWaiting: boolean): Promise<void> {
  if (isWaiting) waiting += 1
  await delay(Math.min(FIRST_RETRY_MS * 2 ** before, LONGEST_RETRY_MS), undefined, { ref: false })
  if (isWaiting) waiting -= 1
}

/**
 * Counts a failure of work that nobody waits for. One of the database alone is told by the
 * database, and only while it lasts.
 */
export function countFailure(what: string, error: unknown): void {
  const known = failures.get(what) ?? { count: 0, lastAt: -Infinity }
  known.count += 1
  if (!isStoreFault(error)) known.lastAt = performance.now()
  failures.set(what, known)
}

export function backgroundFailures(): ReadonlyMap<string, { count: number; lastAt: number }> {
  return failures
}

/** What has failed within the last so many milliseconds. */
export function failedWithin(ms: number): string[] {
  const since = performance.now() - ms
  return [...failures].filter(([, { lastAt }]) => lastAt >= since).map(([what]) => what)
}
