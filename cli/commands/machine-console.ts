import type { Command } from 'commander'
import { viewerFile } from '../../broker/api/viewer-file.js'
import type { Invocation } from '../invocation.js'
import { askConsole, type ConsoleOptions, openViewer, withConsoleOptions } from '../open-viewer.js'

export function defineMachineConsole(machine: Command, invocation: Invocation): void {
  withConsoleOptions(machine.command('console').argument('<MACHINE>'))
    .summary('show the screen of a machine')
    .description(
      'Opens the screen with remote-viewer, as "berth connect" does. The ticket in it is ' +
        'handed over on standard input and never lies on disk.\nHorizon: remote console. ' +
        'Proxmox VE: the SPICE console.',
    )
    .option(
      '--print',
      'print the .vv file instead: the ticket in it is good for one viewer, for some seconds',
    )
    .action(async (name: string, options: ConsoleOptions & { print?: boolean }) => {
      const answer = await askConsole(invocation, name, options)
      if (options.print === true) {
        invocation.say(
          `Whoever reads this can open the screen of ${name} within ${answer.ticketSeconds} s: do not keep it.`,
        )
        if (invocation.output.format === 'table')
          invocation.output.raw(viewerFile(answer, { fullScreen: options.fullScreen === true }))
        else invocation.output.show(answer, () => '')
      } else {
        await openViewer(answer, options)
      }
    })
}
