import { Value } from '@sinclair/typebox/value'
import { DirectorySettings } from '../../../broker/login-settings.js'

/** Settings of a directory, with the defaults for what is not given. */
export function directorySettings(
  given: Partial<DirectorySettings> & Pick<DirectorySettings, 'urls' | 'base'>,
): DirectorySettings {
  return Value.Decode(
    DirectorySettings,
    Value.Default(DirectorySettings, { name: 'corp', ...given }),
  )
}
