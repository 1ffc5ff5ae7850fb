import type { JobList } from '../../broker/api/jobs.js'
import { useGet } from '../api/queries.js'

/** The checks of a hypervisor, the newest first. */
export function useChecks(name: string, limit: number): ReturnType<typeof useGet<JobList>> {
  return useGet<JobList>(`/jobs?kind=check&subject=${encodeURIComponent(name)}&limit=${limit}`, [
    'jobs',
  ])
}
