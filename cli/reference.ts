import type { Command } from 'commander'
import { HELP_TOPICS } from './help-topics.js'

/**
 * docs/reference/cli.md, made from the command tree and the help topics, so that it can never tell
 * another story than --help. Pure.
 */
export function reference(program: Command): string {
  const parts = [
    '# `berth`: the command line client',
    'Made by `npm run docs` from the command tree; a test compares.',
    program.description(),
    '## Options of every command',
    optionTable(program),
    ...leaves(program).map((command) => section(command)),
    ...HELP_TOPICS.map(
      (topic) => `## ${topic.title}\n\n\`\`\`text\n${topic.lines.join('\n')}\n\`\`\``,
    ),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

/** Parents before their children, in the order of the help. */
function leaves(command: Command): Command[] {
  return command.commands
    .filter((child) => !child.name().startsWith('__'))
    .flatMap((child) => [child, ...leaves(child)])
}

function section(command: Command): string {
  const path = pathOf(command)
  const usage = command.commands.length > 0 ? '' : `\`\`\`text\n${path} ${usageOf(command)}\n\`\`\``
  const level = path.split(' ').length > 2 ? '###' : '##'
  return [
    `${level} ${path}`,
    command.description().replaceAll('\n', '  \n'),
    usage.replace(/ +\n/g, '\n'),
    argumentTable(command),
    optionTable(command),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}

function usageOf(command: Command): string {
  const words = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`
    return argument.required ? name : `[${name}]`
  })
  const mandatory = command.options
    .filter((option) => option.mandatory && option.defaultValue === undefined)
    .map((option) => option.flags)
  return [
    ...words,
    ...mandatory,
    ...(command.options.length > mandatory.length ? ['[OPTIONS]'] : []),
  ].join(' ')
}

function argumentTable(command: Command): string {
  const rows = command.registeredArguments.filter(
    (argument) => argument.description !== '' || argument.argChoices !== undefined,
  )
  return table(
    'argument',
    rows.map((argument) => [
      argument.name(),
      argument.description === '' ? (argument.argChoices ?? []).join(', ') : argument.description,
    ]),
  )
}

function optionTable(command: Command): string {
  return table(
    'option',
    command.options
      .filter((option) => !option.hidden)
      .map((option) => [option.flags, option.description]),
  )
}

function table(title: string, rows: ReadonlyArray<readonly [string, string]>): string {
  if (rows.length === 0) return ''
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  return [
    `| ${title} | meaning |`,
    '|---|---|',
    ...rows.map(([name, meaning]) => `| \`${cell(name)}\` | ${cell(meaning)} |`),
  ].join('\n')
}
