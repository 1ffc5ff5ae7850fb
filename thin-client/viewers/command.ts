import type { Console, ViewerOptions } from '../../broker/api/thin-clients.js'
import { horizonCommand } from './horizon.js'
import { rdpCommand } from './rdp.js'
import { spiceCommand } from './spice.js'
import type { ViewerCommand } from './viewer-command.js'

export type { ViewerCommand } from './viewer-command.js'

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
