import { Command, Option } from 'commander'
import { defineApplyCommands } from './commands/apply.js'
import { defineAuditCommands } from './commands/audit.js'
import { defineClientsXmlCommands } from './commands/clients-xml.js'
import { defineCompletionCommands } from './commands/completion.js'
import { defineConnectCommand, defineSessionCommands } from './commands/connect.js'
import { defineDesktopCommands } from './commands/desktop.js'
import { defineDirectoryCommands } from './commands/directory.js'
import { defineGrantCommands } from './commands/grant.js'
import { defineHelpCommands } from './commands/help.js'
import { defineHistoryCommand } from './commands/history.js'
import { defineHypervisorCommands } from './commands/hypervisor.js'
import { defineImageCommands } from './commands/image.js'
import { defineJobCommands } from './commands/job.js'
import { defineLoginCommands } from './commands/login.js'
import { defineMachineCommands } from './commands/machine.js'
import { defineMaintenanceCommands } from './commands/maintenance.js'
import { definePoolCommands } from './commands/pool.js'
import { definePortForwardCommand } from './commands/port-forward.js'
import { defineProviderCommands } from './commands/provider.js'
import { defineRebuildStateCommand } from './commands/rebuild-state.js'
import { defineRoleCommands } from './commands/role.js'
import { defineThinClientCommands } from './commands/thin-client.js'
import { definePasswordCommand, defineTokenCommands } from './commands/token.js'
import { defineUserCommands } from './commands/user.js'
import { HELP_TOPICS } from './help-topics.js'
import { Invocation } from './invocation.js'
import { OUTPUT_FORMATS, type OutputFormat } from './output.js'
import { plainLine } from './plain-text.js'
import { ownVersion } from './version.js'

/** In the order of the help. */
const COMMANDS = [
  defineLoginCommands,
  defineHypervisorCommands,
  defineMachineCommands,
  definePoolCommands,
  defineDesktopCommands,
  defineConnectCommand,
  definePortForwardCommand,
  defineSessionCommands,
  defineImageCommands,
  defineMaintenanceCommands,
  defineApplyCommands,
  defineThinClientCommands,
  defineClientsXmlCommands,
  defineJobCommands,
  defineTokenCommands,
  defineUserCommands,
  defineRoleCommands,
  defineGrantCommands,
  defineDirectoryCommands,
  defineProviderCommands,
  defineAuditCommands,
  defineHistoryCommand,
  defineRebuildStateCommand,
  definePasswordCommand,
  defineCompletionCommands,
  defineHelpCommands,
]

/**
 * The whole command tree. Errors of the command line are thrown as CommanderError; what they say is
 * already on standard error.
 */
export function buildProgram(): Command {
  const program = new Command('berth')
  const invocation = new Invocation(() => program.opts<{ output: OutputFormat }>().output)
  program
    .description(
      "Administers Berth, which boots thin clients straight into virtual desktops: a client of the broker's API.",
    )
    .version(`berth ${ownVersion()}`)
    .addOption(
      new Option('-o, --output <FORMAT>', 'table, json or yaml')
        .choices(OUTPUT_FORMATS)
        .default('table'),
    )
    .helpCommand(false)
    .showHelpAfterError('Add --help for the usage.')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      outputError: (text, write) => {
        write(
          text.replace(/^error: (.*)/, (_all, message: string) => `berth: ${plainLine(message)}`),
        )
      },
    })
    .exitOverride()
    .addHelpText(
      'after',
      `\nTopics: berth help ${HELP_TOPICS.map((topic) => topic.name).join(' | ')}`,
    )
  for (const define of COMMANDS) define(program, invocation)
  return program
}
