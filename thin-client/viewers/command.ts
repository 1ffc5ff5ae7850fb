import type { Console, ViewerOptions } from '../../broker/api/thin-clients.js'
import type { ExpectedConnection } from '../viewer-connection.js'
import { horizonCommand } from './horizon.js'
import { rdpCommand } from './rdp.js'
import { spiceCommand } from './spice.js'

export interface ViewerCommand {
  readonly program: string
  readonly args: readonly string[]
  /** Written to the standard input of the viewer: what neither a disk nor the process list may show. */
  readonly input: string | undefined
  /** Strings that no log may show. */
  readonly secrets: readonly string[]
  readonly expectConnection: ExpectedConnection | undefined
}

export interface ViewerSettings {
  readonly horizonCommand?: readonly string[]
  readonly rdpArguments?: readonly string[]
}

/** The command that shows a console. Pure: nothing is looked up or started. */
export function viewerCommand(
  console: Console,
  options: ViewerOptions,
  settings: ViewerSettings,
): ViewerCommand {
  switch (console.protocol) {
    case 'spice':
      return spiceCommand(console, options)
    case 'rdp':
      return rdpCommand(console, options, settings.rdpArguments ?? [])
    case 'horizon':
      return horizonCommand(console, settings.horizonCommand)
  }
}
