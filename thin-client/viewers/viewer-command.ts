import type { ExpectedConnection } from '../viewer-connection.js'

export interface ViewerCommand {
  readonly program: string
  readonly args: readonly string[]
  /** Written to the standard input of the viewer: what neither a disk nor the process list may show. */
  readonly input: string | undefined
  /** Strings that no log may show. */
  readonly secrets: readonly string[]
  readonly expectConnection: ExpectedConnection | undefined
}
