import type { Command } from 'commander'
import {
  type MachinePath,
  MachinePathList,
  SessionList,
  type Session,
} from '../../broker/api/consoles.js'
import { apiPath } from '../broker-client.js'
import type { Invocation } from '../invocation.js'
import { askConsole, type ConsoleOptions, openViewer, withConsoleOptions } from '../open-viewer.js'
import type { Column } from '../output.js'

const PATH_COLUMNS: ReadonlyArray<Column<MachinePath>> = [
  ['PROTOCOL', (path) => path.protocol],
  ['VIA', (path) => path.via],
  ['REACHABLE', (path) => (path.reachable ? 'yes' : 'no')],
  ['ADDRESS', (path) => [path.address, path.port].filter((part) => part !== null).join(' port ')],
  ['COMMAND', (path) => path.commands.join('; then ') || path.sentence],
]
const SESSION_COLUMNS: ReadonlyArray<Column<Session>> = [
  ['MACHINE', (session) => session.machine],
  [
    'WHO',
    (session) =>
      session.holder
        ? `${session.holder.kind === 'device' ? 'thin client ' : ''}${session.holder.name}`
        : 'unknown',
  ],
  ['ADDRESS', (session) => session.address],
  ['PROTOCOL', (session) => session.protocol],
  ['VIA', (session) => session.via],
  ['SINCE', (session) => session.since],
]

export function defineConnectCommand(program: Command, invocation: Invocation): void {
  withConsoleOptions(program.command('connect').argument('<MACHINE>'))
    .summary('open the screen of a machine')
    .description(
      'Opens the screen with remote-viewer. Whoever has it keeps it, unless it is your own ' +
        'or you give --take. With --print nothing is opened: every way to the machine is ' +
        'shown, with what to type for it.\nHorizon: launch desktop.',
    )
    .option(
      '--print',
      'show every way to it: the display, and RDP and SSH if the guest answers there',
    )
    .action(async (name: string, options: ConsoleOptions & { print?: boolean }) => {
      if (options.print !== true) {
        await openViewer(await askConsole(invocation, name, options), options)
        return
      }
      const answer = await invocation.client.get(apiPath`/machines/${name}/paths`, MachinePathList)
      invocation.output.list(answer, PATH_COLUMNS, answer.paths)
    })
}

export function defineSessionCommands(program: Command, invocation: Invocation): void {
  const session = program
    .command('session')
    .summary('consoles that are connected now')
    .description('A session is a live console connection to a machine.\nHorizon: sessions.')
  session
    .command('list')
    .summary('who is connected to which machine')
    .description(
      'Lists the consoles that are connected now, as QEMU says, and to whom their tickets ' +
        'were given. unknown: a viewer that was given none by Berth.',
    )
    .action(async () => {
      const answer = await invocation.client.get('/sessions', SessionList)
      invocation.output.list(answer, SESSION_COLUMNS, answer.sessions)
    })
}
