import type { Authority } from '../certificates/authority.js'
import { ownHelperVersion } from '../hypervisors/helper-version.js'
import { checkJob } from './check-job.js'
import { Doctor, type DoctorDeps } from './service.js'

export interface DoctorPartsDeps extends DoctorDeps {
  readonly authority: Authority
  /** Hosts that are not real have a helper of their own. */
  readonly areHostsSimulated: boolean
}

/** Checks of hypervisors; their job is registered. */
export function assembleDoctor(deps: DoctorPartsDeps): Doctor {
  deps.jobs.register(
    checkJob({
      ...deps,
      ca: deps.authority.certificate,
      ownHelperVersion: deps.areHostsSimulated ? () => 'simulated' : ownHelperVersion,
    }),
  )
  return new Doctor(deps)
}
