import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type Command, Option } from 'commander'
import { CONSOLE_WAYS, type ConsoleWay } from '../broker/api/consoles.js'
import { SpiceConsole } from '../broker/api/machines.js'
import { viewerFile } from '../broker/api/viewer-file.js'
import { apiPath } from './broker-client.js'
import { CliError } from './cli-error.js'
import type { Invocation } from './invocation.js'

const VIEWER = 'remote-viewer'

export interface ConsoleOptions {
  readonly fullScreen?: boolean
  readonly take?: boolean
  readonly via: ConsoleWay
}

/** The options of every command that opens a screen. */
export function withConsoleOptions(command: Command): Command {
  return command
    .option('--full-screen', 'fill the screen')
    .option('--take', 'take the screen over from whoever has it; needs the permission takeConsole')
    .addOption(
      new Option(
        '--via <WAY>',
        'direct: to the hypervisor; proxy: through the broker; auto: direct where that can be',
      )
        .choices(CONSOLE_WAYS)
        .default('auto'),
    )
}

/** Asks for a ticket; says whose console was cut for it. */
export async function askConsole(
  invocation: Invocation,
  name: string,
  options: ConsoleOptions,
): Promise<SpiceConsole> {
  const answer = await invocation.client.send(
    'POST',
    apiPath`/machines/${name}/console`,
    { take: options.take, via: options.via },
    SpiceConsole,
  )
  if (answer.taken)
    invocation.say(
      `${name} was taken from ${answer.taken.from?.name ?? 'a viewer that nobody knows'}, ` +
        `who had it since ${answer.taken.since}.`,
    )
  return answer
}

/**
 * Runs remote-viewer to its end. The ticket is handed over on standard input and never lies on
 * disk. Throws CliError refused.
 */
export async function openViewer(console: SpiceConsole, options: ConsoleOptions): Promise<void> {
  const viewer = spawn(VIEWER, ['-'], { stdio: ['pipe', 2, 2] })
  /* A viewer that dies at once closes its input; its exit code tells. */
  viewer.stdin?.on('error', () => {
    viewer.stdin?.destroy()
  })
  viewer.stdin?.end(viewerFile(console, { fullScreen: options.fullScreen === true }))
  const [code] = await once(viewer, 'exit').catch((cause: unknown) => {
    throw new CliError(
      'refused',
      `${VIEWER} cannot be run; install it (Debian: virt-viewer), or use "berth machine console --print".`,
      [],
      { cause },
    )
  })
  if (code !== 0)
    throw new CliError(
      'refused',
      `${VIEWER} ended with ${code === null ? 'a signal' : `exit code ${String(code)}`}.`,
    )
}
