import type { Console } from '../../broker/api/thin-clients.js'
import type { ViewerCommand } from './viewer-command.js'

type HorizonConsole = Extract<Console, { protocol: 'horizon' }>

/** The Horizon client for Linux; `--once` lets it end when the desktop is left, so that the device asks again. */
export const DEFAULT_HORIZON_COMMAND = [
  'vmware-view',
  '-s',
  '{server}',
  '--fullscreen',
  '-q',
  '--desktopName',
  '{pool}',
  '--once',
  '--protocol=PCOIP',
] as const

/**
 * Fills {server} and {pool} into the words of the command; a value never becomes more than its
 * word. The command decides about full screen and monitors.
 */
export function horizonCommand(
  console: HorizonConsole,
  template: readonly string[] = DEFAULT_HORIZON_COMMAND,
): ViewerCommand {
  const [program = 'vmware-view', ...args] = template.map((word) =>
    word.replace(/\{(server|pool)\}/g, (_, name) =>
      name === 'server' ? console.server : console.desktopPool,
    ),
  )
  return { program, args, input: undefined, secrets: [], expectConnection: undefined }
}
