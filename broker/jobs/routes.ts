import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { IdParams } from '../api/common.js'
import { Job, JOB_ENDED, JobList, JobQuery } from '../api/jobs.js'
import { type App, callerOf, route } from '../http.js'
import { beginEvents } from '../security-headers.js'
import type { Caller } from '../users/caller.js'
import type { Streams } from '../live/streams.js'
import { noSuchJob } from './store.js'
import type { JobRunner } from './runner.js'

const KEEP_ALIVE_MS = 15_000
/** Progress comes in drops; so many lines a second are enough for an eye. */
const LEAST_GAP_MS = 200

export function jobRoutes(jobs: JobRunner, streams: Streams) {
  return (app: App): void => {
    app.get(
      '/jobs',
      route('The recent jobs', { querystring: JobQuery }, { 200: JobList }),
      async (request) => ({
        jobs: await jobs.list({ ...request.query, ...ownOnly(callerOf(request)) }),
      }),
    )
    app.get(
      '/jobs/:id',
      route('One job with its targets', { params: IdParams }, { 200: Job }),
      async (request) => await visibleJob(jobs, request.params.id, callerOf(request)),
    )
    app.post(
      '/jobs/:id/cancel',
      route('Cancel it; what is half done is undone', { params: IdParams }, { 200: Job }),
      async (request) => await jobs.cancel(request.params.id, callerOf(request)),
    )
    app.get(
      '/jobs/:id/events',
      route('Its progress as server-sent events', { params: IdParams }),
      async (request, reply) => {
        await streamJob({ jobs, streams }, request.params.id, request, reply)
      },
    )
  }
}

/** Answers until the job or the login ends, or the reader goes away. */
async function streamJob(
  { jobs, streams }: { jobs: JobRunner; streams: Streams },
  id: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  let by = callerOf(request)
  const visible = async (): Promise<Job> => await visibleJob(jobs, id, by)
  await visible()
  const end = (): void => {
    reply.raw.end()
  }
  const leave = streams.open(by, {
    request,
    still: (caller) => {
      by = caller
      visible().catch(end)
    },
    end,
  })
  beginEvents(request, reply)
  const seen = String(request.headers['last-event-id'] ?? '')
  await new Promise<void>((resolve) => {
    follow(
      { subscribe: (listener) => jobs.subscribe(id, listener), get: visible },
      seen,
      (text) => reply.raw.write(text),
      (listener) => {
        reply.raw.on('close', listener)
      },
      resolve,
    )
  })
  leave()
  reply.raw.end()
}

/** A person without a role of the site sees the jobs that they have asked for themselves. */
function ownOnly(by: Caller): { createdBy?: string } {
  return by.role === 'user' ? { createdBy: by.actor } : {}
}

async function visibleJob(jobs: JobRunner, id: string, by: Caller): Promise<Job> {
  const job = await jobs.get(id)
  if (by.role === 'user' && job.createdBy !== by.actor) throw noSuchJob(id)
  return job
}

/**
 * Every event holds the whole job, so its id is the mark of what it shows: who comes back with the
 * last one they have seen (`Last-Event-ID`) hears of it again only when the job has changed meanwhile,
 * or has ended.
 */
function follow(
  job: { subscribe: (listener: () => void) => () => void; get: () => Promise<Job> },
  seen: string,
  write: (text: string) => void,
  onGone: (listener: () => void) => void,
  done: () => void,
): void {
  let last = seen
  let due: NodeJS.Timeout | undefined
  const keepAlive = setInterval(() => {
    write(': keep-alive\n\n')
  }, KEEP_ALIVE_MS)
  const stop = (): void => {
    clearInterval(keepAlive)
    clearTimeout(due)
    unsubscribe()
    done()
  }
  const tell = (): void => {
    due = undefined
    job.get().then((job) => {
      const text = JSON.stringify(job)
      const mark = createHash('sha256').update(text).digest('base64url').slice(0, 16)
      const ended = JOB_ENDED.includes(job.state)
      if (mark !== last || ended) write(`id: ${mark}\nevent: job\ndata: ${text}\n\n`)
      last = mark
      if (ended) stop()
    }, stop)
  }
  const unsubscribe = job.subscribe(() => {
    due ??= setTimeout(tell, LEAST_GAP_MS)
  })
  onGone(stop)
  tell()
}
