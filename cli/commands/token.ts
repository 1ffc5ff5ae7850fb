import { type Command, Option } from 'commander'
import { SCOPES } from '../../broker/api/permissions.js'
import { type Token, TokenCreated, TokenList } from '../../broker/api/users.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import type { Column } from '../output.js'
import { plainLine } from '../plain-text.js'
import { readSecret } from '../prompts.js'
import { parseDurationMs } from '../quantities.js'

/** Of one's own, and of somebody else's. */
export const TOKENS: ReadonlyArray<Column<Token>> = [
  ['NAME', (it) => it.name],
  ['ID', (it) => it.id],
  ['FOR', (it) => it.kind],
  ['USER', (it) => it.user],
  ['SCOPES', (it) => it.scopes?.join(',') ?? 'all'],
  ['CREATED', (it) => it.createdAt],
  ['EXPIRES', (it) => it.expiresAt ?? 'never'],
  ['LAST USED', (it) => it.lastUsedAt ?? 'never'],
]
const LONGEST_TOKEN_MS = 315_360_000_000
const SHORTEST_PASSWORD = 12

export function defineTokenCommands(program: Command, invocation: Invocation): void {
  const token = program
    .command('token')
    .summary('keys for scripts')
    .description('Tokens let scripts use the API without a password.\nProxmox VE: API tokens.')
  defineCreate(token, invocation)
  defineList(token, invocation)
  defineRevoke(token, invocation)
}

function defineCreate(token: Command, invocation: Invocation): void {
  token
    .command('create')
    .argument('<NAME>', 'what it shall be called')
    .summary('make a token; it is shown once')
    .description(
      'Makes a token and prints it, this once. Put it into a file with mode 0600 and name that in BERTH_TOKEN_FILE.',
    )
    .addOption(
      new Option(
        '--scope <SCOPE...>',
        `the most that it may; without it, all that the account may: ${SCOPES.join(', ')}`,
      ).choices(SCOPES),
    )
    .option(
      '--expires <DURATION>',
      'ISO 8601, such as P90D; without it, and at most, as long as the broker allows',
      parseDurationMs,
    )
    .action(async (name: string, { scope, expires }: { scope?: string[]; expires?: number }) => {
      if (expires !== undefined && (expires < 1000 || expires > LONGEST_TOKEN_MS))
        throw new CliError('usage', '--expires must be from PT1S to P3650D.')
      const created = await invocation.client.send(
        'POST',
        '/tokens',
        { name, scopes: scope, validForMs: expires },
        TokenCreated,
      )
      invocation.output.show(created, () => plainLine(created.token))
    })
}

function defineList(token: Command, invocation: Invocation): void {
  token
    .command('list')
    .summary('list tokens')
    .description('Lists tokens, not their secrets.')
    .action(async () => {
      const answer = await invocation.client.get('/tokens', TokenList)
      invocation.output.list(answer, TOKENS, answer.tokens)
    })
}

function defineRevoke(token: Command, invocation: Invocation): void {
  token
    .command('revoke')
    .argument('<TOKEN>')
    .summary('revoke a token')
    .description('Revokes a token at once.')
    .action(async (name: string) => {
      await invocation.client.sendOnly('DELETE', apiPath`/tokens/${name}`)
      invocation.say(`${name} is revoked.`)
    })
}

export function definePasswordCommand(program: Command, invocation: Invocation): void {
  program
    .command('password')
    .summary('change your password')
    .description(
      'Changes the password of the account in use. Both passwords are asked for, or read ' +
        'from files; - is standard input, for one of them.',
    )
    .option('--old-password-file <FILE>', 'file with the present password in its first line')
    .option('--new-password-file <FILE>', 'file with the new one')
    .action(async (options: { oldPasswordFile?: string; newPasswordFile?: string }) => {
      if (options.oldPasswordFile === '-' && options.newPasswordFile === '-')
        throw new CliError('usage', 'Only one of the passwords can come from standard input.')
      const oldPassword = await readSecret(
        'present password',
        options.oldPasswordFile,
        '--old-password-file',
      )
      const newPassword = await readSecret(
        'new password',
        options.newPasswordFile,
        '--new-password-file',
      )
      if (newPassword.length < SHORTEST_PASSWORD)
        throw new CliError(
          'usage',
          `The new password needs at least ${SHORTEST_PASSWORD} characters.`,
        )
      if (
        options.newPasswordFile === undefined &&
        (await readSecret('new password again', undefined, '--new-password-file')) !== newPassword
      )
        throw new CliError('usage', 'The new passwords are not the same; nothing was changed.')
      await invocation.client.sendOnly('POST', '/password', { oldPassword, newPassword })
      invocation.say('The password is changed.')
    })
}
