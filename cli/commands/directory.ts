import type { Command } from 'commander'
import { DirectoryList, DirectoryTest } from '../../broker/api/users.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { tableOf } from '../output.js'
import { readSecret } from '../prompts.js'

export function defineDirectoryCommands(program: Command, invocation: Invocation): void {
  const directory = program
    .command('directory')
    .summary('LDAP servers and Active Directory')
    .description(
      "Directories that people come from. They stand in the broker's settings.\nProxmox VE: realms.",
    )
  defineList(directory, invocation)
  defineTest(directory, invocation)
}

function defineList(directory: Command, invocation: Invocation): void {
  directory
    .command('list')
    .summary('list directories')
    .description('Lists the directories in the order in which they are asked.')
    .action(async () => {
      const answer = await invocation.client.get('/directories', DirectoryList)
      invocation.output.list(
        answer,
        [
          ['NAME', (it) => it.name],
          ['TYPE', (it) => it.type],
          ['ADDRESSES', (it) => it.urls.join(' ')],
          ['BASE', (it) => it.base],
        ],
        answer.directories,
      )
    })
}

function defineTest(directory: Command, invocation: Invocation): void {
  directory
    .command('test')
    .argument('<USER>', 'as the person would type it')
    .argument('[NAME]', 'the directory; needed when there are several')
    .summary('what would happen at a login')
    .description(
      'Asks a directory as a login would, and shows each step: connection, search, password, ' +
        'groups, and the roles that they give. Nothing changes. Exit code 1 when the person ' +
        'would not get in.',
    )
    .option(
      '--password-file <FILE>',
      'also try the password in its first line; - is standard input',
    )
    .action(async (user: string, name: string | undefined, options: { passwordFile?: string }) => {
      const password =
        options.passwordFile === undefined
          ? undefined
          : await readSecret(`password of ${user}`, options.passwordFile, '--password-file')
      const answer = await invocation.client.send(
        'POST',
        apiPath`/directories/${name ?? (await onlyDirectory(invocation))}/test`,
        { user, password },
        DirectoryTest,
      )
      invocation.output.show(answer, () =>
        tableOf(
          [
            ['STEP', (it) => it.step],
            ['', (it) => it.said],
          ],
          answer.steps,
        ),
      )
      if (!answer.good) invocation.end('refused')
    })
}

async function onlyDirectory(invocation: Invocation): Promise<string> {
  const { directories } = await invocation.client.get('/directories', DirectoryList)
  const [only, ...others] = directories
  if (!only || others.length > 0)
    throw new CliError(
      'usage',
      only
        ? `Which directory? ${directories.map(({ name }) => name).join(', ')}.`
        : "The broker's settings have no directory.",
    )
  return only.name
}
