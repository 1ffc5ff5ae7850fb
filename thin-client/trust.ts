import type { Log } from './log.js'
import type { PinKeeper } from './pinned-connection.js'
import { readState, writeState } from './state-directory.js'

export interface TrustedCa extends PinKeeper {
  /** For the screen: the fingerprint in force and where it comes from; empty while nothing is known. */
  describe: () => string
}

/**
 * Whom to insist on: what is configured (fingerprints with commas between, or `system`), else the
 * CA that was kept at first contact.
 */
export function trustIn(
  stateDirectory: string,
  configured: string | undefined,
  log: Log,
): TrustedCa {
  const set = configured === 'system' ? configured : configured?.split(',')
  let kept = configured === undefined ? readState(stateDirectory, 'ca') : undefined
  return {
    trusted: () => set ?? (kept === undefined ? null : [kept]),
    trust: (fingerprint) => {
      kept = fingerprint
      log(
        'warning',
        `No CA is set: the broker's CA ${fingerprint} is trusted from now on. Compare it with the broker's.`,
      )
      try {
        writeState(stateDirectory, 'ca', fingerprint)
      } catch (error) {
        log(
          'error',
          'The CA cannot be kept ' +
            `in ${stateDirectory}: ${error instanceof Error ? error.message : String(error)}. ` +
            'It is trusted until the agent ends.',
        )
      }
    },
    describe: () =>
      configured !== undefined
        ? configured === 'system'
          ? 'The CAs that this device trusts (set)'
          : `CA ${configured} (set)`
        : kept === undefined
          ? ''
          : `CA ${kept} (trusted at first contact)`,
  }
}
