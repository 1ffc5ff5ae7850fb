import { Value } from '@sinclair/typebox/value'
import { DirectorySettings } from '../../../broker/login-settings.js'
import type { Arrival } from '../../../broker/users/arrivals.js'
import type { LoginAnswer } from '../../../broker/users/directories.js'

/** Settings of a directory, with the defaults for what is not given. */
export function directorySettings(
  given: Partial<DirectorySettings> & Pick<DirectorySettings, 'urls' | 'base'>,
): DirectorySettings {
  return Value.Decode(
    DirectorySettings,
    Value.Default(DirectorySettings, { name: 'corp', ...given }),
  )
}

/** Who got in, or null for a no. Throws the fault of one who could not say. */
export function personOf(answer: LoginAnswer): Arrival | null {
  if (answer.kind === 'could-not-say') throw answer.fault
  return answer.kind === 'right' ? answer.person : null
}
