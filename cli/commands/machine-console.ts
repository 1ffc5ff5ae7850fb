import type { Command } from 'commander'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { SpiceConsole } from '../../broker/api/machines.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { viewerFile } from '../../broker/api/viewer-file.js'

const VIEWER = 'remote-viewer'

export function defineMachineConsole (machine: Command, invocation: Invocation): void {
  machine.command('console').argument('<MACHINE>').summary('show the screen of a machine')
    .description('Opens the screen with remote-viewer. The ticket in it is handed over on standard input and never lies on disk.\nHorizon: remote console. Proxmox VE: the SPICE console.')
    .option('--full-screen', 'fill the screen').option('--print', 'print the .vv file instead: the ticket in it is good for one viewer, for some seconds')
    .action(async (name: string, options: { fullScreen?: boolean, print?: boolean }) => {
      const answer = await invocation.client.send('POST', apiPath`/machines/${name}/console`, {}, SpiceConsole)
      const file = viewerFile(answer, { fullScreen: options.fullScreen === true })
      if (options.print === true) {
        invocation.say(`Whoever reads this can open the screen of ${name} within ${answer.ticketSeconds} s: do not keep it.`)
        if (invocation.output.format === 'table') invocation.output.raw(file)
        else invocation.output.show(answer, () => '')
      } else {
        await openViewer(file)
      }
    })
}

async function openViewer (file: string): Promise<void> {
  const viewer = spawn(VIEWER, ['-'], { stdio: ['pipe', 2, 2] })
  /* A viewer that dies at once closes its input; its exit code tells. */
  viewer.stdin?.on('error', () => { viewer.stdin?.destroy() })
  viewer.stdin?.end(file)
  const [code] = await once(viewer, 'exit').catch((cause: unknown) => { throw new CliError('refused', `${VIEWER} cannot be run; install it (Debian: virt-viewer), or use --print.`, [], { cause }) })
  if (code !== 0) throw new CliError('refused', `${VIEWER} ended with ${code === null ? 'a signal' : `exit code ${String(code)}`}.`)
}
