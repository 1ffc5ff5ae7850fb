import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'

/** How often work failed that nobody waits for, since this process began: by what it was. For /metrics and /readyz. */
const failures = new Map<string, { count: number; lastAt: number }>()

const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 30_000

export interface BackgroundWork {
  readonly log: Logger
  /** Names the work in log and metrics, such as `thin-clients.seen`: a closed list, never a name that somebody gave. */
  readonly what: string
  readonly work: () => Promise<unknown>
  /**
   * How often it is tried again when it fails, each time later. Nothing (0) for work that a timer brings back anyway.
   */
  readonly retries?: number
  /** Ends the retries. */
  readonly signal?: AbortSignal
}

/**
 * Does something that nobody waits for. Never throws and never leaves a rejected promise behind, which would end the process:
 * a failure is logged, counted, and tried again where nothing else would.
 */
export function inBackground({ log, what, work, retries = 0, signal }: BackgroundWork): void {
  const attempt = async (): Promise<void> => {
    for (let tries = 0; ; tries++) {
      try {
        await work()
        return
      } catch (error) {
        countFailure(what)
        const isLast = tries >= retries || signal?.aborted === true
        log.error({ err: error, what, tries: tries + 1, again: !isLast }, 'background work failed')
        if (isLast) return
        await delay(Math.min(FIRST_RETRY_MS * 2 ** tries, LONGEST_RETRY_MS), undefined, {
          ref: false,
        })
      }
    }
  }
  attempt().catch((error: unknown) => {
    process.stderr.write(`berth-broker: ${what} failed, and so did its log: ${String(error)}\n`)
  })
}

export function countFailure(what: string): void {
  const known = failures.get(what)
  if (known) {
    known.count += 1
    known.lastAt = performance.now()
  } else failures.set(what, { count: 1, lastAt: performance.now() })
}

export function backgroundFailures(): ReadonlyMap<string, { count: number; lastAt: number }> {
  return failures
}

/** What has failed within the last so many milliseconds. */
export function failedWithin(ms: number): string[] {
  const since = performance.now() - ms
  return [...failures].filter(([, { lastAt }]) => lastAt >= since).map(([what]) => what)
}
