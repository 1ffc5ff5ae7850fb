import type { Command } from 'commander'
import { CliError } from '../cli-error.js'
import { HELP_TOPICS, showTopic } from '../help-topics.js'
import type { Invocation } from '../invocation.js'
import { ownVersion } from '../version.js'

export function defineHelpCommands(program: Command, invocation: Invocation): void {
  program
    .command('help')
    .argument('[COMMAND...]', `a command, or ${HELP_TOPICS.map((topic) => topic.name).join(', ')}`)
    .summary('help on a command or topic')
    .description('Shows the help of a command, or a topic.')
    .action((words: string[]) => {
      const topic =
        words.length === 1
          ? HELP_TOPICS.find((candidate) => candidate.name === words[0])
          : undefined
      if (topic === undefined) findCommand(program, words).outputHelp()
      else invocation.output.line(showTopic(topic))
    })
  program
    .command('version')
    .summary('show the version')
    .description('Shows the versions of this client and of Node.')
    .action(() => {
      const versions = { berth: ownVersion(), node: process.versions.node }
      invocation.output.show(versions, () => `berth ${versions.berth} (Node ${versions.node})`)
    })
}

function findCommand(program: Command, words: readonly string[]): Command {
  let command = program
  for (const word of words) {
    const next = command.commands.find((child) => child.name() === word)
    if (next === undefined)
      throw new CliError(
        'usage',
        `There is no command or topic "${words.join(' ')}"; ` +
          `topics: ${HELP_TOPICS.map((topic) => topic.name).join(', ')}.`,
      )
    command = next
  }
  return command
}
