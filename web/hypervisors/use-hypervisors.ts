import type { Hypervisor } from '../../broker/api/hypervisors.js'
import { useGet } from '../api/queries.js'

/** All hypervisors, kept true. */
export function useHypervisors() {
  return useGet<{ hypervisors: Hypervisor[] }>('/hypervisors', ['hypervisors', 'machines'])
}
