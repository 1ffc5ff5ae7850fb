import type { Directories } from '../api/hypervisors.js'

/** Settings a link needs; read again at each connection. */
export interface LinkSettings {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly hostKeyFingerprint: string
  readonly directories: Directories
}
