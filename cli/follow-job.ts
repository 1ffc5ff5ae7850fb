import { setTimeout as delay } from 'node:timers/promises'
import { JOB_ENDED, Job } from '../broker/api/jobs.js'
import { parseAnswer } from './answers.js'
import { type BrokerClient, apiPath } from './broker-client.js'
import { CliError, RefusalError, sentenceOf } from './cli-error.js'
import type { ExitName } from './exit-codes.js'
import { type JobDisplay, jobDisplay } from './job-display.js'

/**
 * A broker that restarts needs seconds; one that is away for this long is told about. The job
 * itself survives either.
 */
const BROKER_AWAY_MS = 120_000
const LONGEST_PAUSE_MS = 5000
/** Streams open at one time; further jobs run at the broker all the same. */
const STREAMS = 8

/**
 * Follows jobs until each has ended, and gives them as they ended, in the same order. A stream that
 * is cut is opened again. Ctrl-C stops following only. Throws CliError interrupted, or unreachable
 * when the broker stays away.
 */
export async function followJobs(client: BrokerClient, ids: readonly string[]): Promise<Job[]> {
  const display = jobDisplay(process.stderr)
  const detach = new AbortController()
  const interrupt = (): void => {
    detach.abort()
  }
  process.once('SIGINT', interrupt)
  try {
    return await inParallel(
      ids,
      STREAMS,
      async (id) => await followJob(client, id, display, detach.signal),
    )
  } catch (error) {
    if (detach.signal.aborted) throw detached(ids)
    detach.abort()
    throw error
  } finally {
    process.off('SIGINT', interrupt)
    display.end()
  }
}

function detached(ids: readonly string[]): CliError {
  const [one] = ids
  if (ids.length === 1 && one !== undefined)
    return new CliError(
      'interrupted',
      `No longer following; job ${one} goes on. Follow it again: berth job follow ${one}. ` +
        `Cancel it: berth job cancel ${one}.`,
    )
  return new CliError(
    'interrupted',
    `No longer following; the jobs go on: ${ids.join(' ')}. Follow one again: berth job ` +
      'follow ID. Cancel one: berth job cancel ID.',
  )
}

async function followJob(
  client: BrokerClient,
  id: string,
  display: JobDisplay,
  signal: AbortSignal,
): Promise<Job> {
  let awaySince: number | null = null
  for (let attempt = 1; ; attempt += 1) {
    try {
      for await (const job of jobsOfStream(client, id, signal)) {
        ;[awaySince, attempt] = [null, 0]
        display.update(job)
        if (JOB_ENDED.includes(job.state)) return job
      }
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error
      awaySince ??= performance.now()
      if (performance.now() - awaySince > BROKER_AWAY_MS)
        throw new CliError(
          'unreachable',
          `The broker is away; job ${id} goes on when it is back. Follow it again: berth job follow ${id}.`,
          [],
          { cause: error },
        )
      if (attempt <= 1) display.note(`job ${id}: ${sentenceOf(error)} Trying again.`)
    }
    await delay(Math.min(LONGEST_PAUSE_MS, 250 * 2 ** Math.min(attempt, 5)), undefined, { signal })
  }
}

async function* jobsOfStream(
  client: BrokerClient,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<Job> {
  for await (const { event, data } of client.events(apiPath`/jobs/${id}/events`, signal)) {
    if (event === 'job') yield parseAnswer(Job, JSON.parse(data), `GET /jobs/${id}/events`)
  }
}

/** Troubles of a broker that restarts, and of a limit on requests. A wrong certificate or a refusal does not pass. */
function isPassing(error: unknown): boolean {
  if (error instanceof RefusalError)
    return error.status === 429 || error.status === 502 || error.code === 'shutting_down'
  return error instanceof CliError && error.exit === 'unreachable'
}

/** How the command ends after these jobs. */
export function exitOfJobs(jobs: readonly Job[]): ExitName {
  if (jobs.every((job) => job.state === 'succeeded')) return 'ok'
  return jobs.some((job) => job.state === 'succeeded' || job.state === 'partly')
    ? 'partly'
    : 'refused'
}

/**
 * Does `work` on all items, at most `width` at a time; the results are in the items' order. Stops
 * at the first error.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Map<number, R>()
  const entries = items.entries()
  const worker = async (): Promise<void> => {
    for (const [index, item] of entries) results.set(index, await work(item))
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker))
  return [...results.entries()].sort(([a], [b]) => a - b).map(([, result]) => result)
}
