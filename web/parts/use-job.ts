import { useEffect, useState } from 'react'
import type { Job, JobState } from '../../broker/api/jobs.js'
import { api, ApiError, path } from '../api/client.js'

const ENDED: readonly JobState[] = ['succeeded', 'partly', 'failed', 'cancelled']

/** Whether a job in this state never changes again. */
export function hasEnded(job: Pick<Job, 'state'>): boolean {
  return ENDED.includes(job.state)
}

/** A job as it goes on, pushed step by step and byte by byte until it has ended. */
export function useJob(id: string): { readonly job: Job | null; readonly error: ApiError | null } {
  const [seen, setSeen] = useState<{ job: Job | null; error: ApiError | null }>({
    job: null,
    error: null,
  })
  useEffect(() => {
    setSeen({ job: null, error: null })
    const source = new EventSource(`/api/v1${path`/jobs/${id}/events`}`)
    source.addEventListener('job', (event: MessageEvent<string>) => {
      const job = JSON.parse(event.data) as Job
      setSeen({ job, error: null })
      if (hasEnded(job)) source.close()
    })
    source.addEventListener('error', () => {
      // A browser comes back by itself, but not after a refusal: what the refusal says is asked for.
      if (source.readyState !== EventSource.CLOSED) return
      api<Job>('GET', path`/jobs/${id}`, { background: true }).then(
        (job) => {
          setSeen({ job, error: null })
        },
        (error: unknown) => {
          if (error instanceof ApiError) setSeen((before) => ({ ...before, error }))
        },
      )
    })
    return () => {
      source.close()
    }
  }, [id])
  return seen
}
