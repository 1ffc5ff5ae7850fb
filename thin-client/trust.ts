import type { Log } from './log.js'
import type { PinKeeper } from './pinned-connection.js'
import { readState, writeState } from './state-directory.js'

export interface Trust extends PinKeeper {
  /** For the screen: the fingerprint in force and where it comes from; empty while nothing is known. */
  describe: () => string
}

/** The CA to insist on: the configured one, else the one kept at first contact. `configured`: `sha256:` and 64 hex digits. */
export function trustIn(stateDirectory: string, configured: string | undefined, log: Log): Trust {
  let kept = configured === undefined ? readState(stateDirectory, 'ca') : undefined
  return {
    pinned: () => configured ?? kept,
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
          `The CA cannot be kept in ${stateDirectory}: ${error instanceof Error ? error.message : String(error)}. It is trusted until the agent ends.`,
        )
      }
    },
    describe: () =>
      configured !== undefined
        ? `CA ${configured} (set)`
        : kept === undefined
          ? ''
          : `CA ${kept} (trusted at first contact)`,
  }
}
