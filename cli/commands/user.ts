import type { Command } from 'commander'
import { Permissions } from '../../broker/api/permissions.js'
import { TokenList, User, UserList } from '../../broker/api/users.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { TOKENS } from './token.js'
import { readSecret } from '../prompts.js'
import { showPermissions, showUser, USERS } from './user-table.js'

const PASSWORD_OPTION = [
  '--password-file <FILE>',
  'file with the password in its first line; - is standard input',
] as const

export function defineUserCommands(program: Command, invocation: Invocation): void {
  const user = program
    .command('user')
    .summary('people')
    .description(
      'Accounts of people. Those of a directory or a login provider are made at their first ' +
        'login; "berth help words" has the roles.\nProxmox VE: users. Horizon: users and ' +
        'groups of Active Directory.',
    )
  defineList(user, invocation)
  defineShow(user, invocation)
  defineTokens(user, invocation)
  defineRevokeToken(user, invocation)
  defineCreate(user, invocation)
  defineChange(user, invocation)
  defineAccountActions(user, invocation)
  definePermissions(user, invocation)
}

function defineList(user: Command, invocation: Invocation): void {
  user
    .command('list')
    .summary('list accounts')
    .description('Lists all accounts with their roles.')
    .action(async () => {
      const answer = await invocation.client.get('/users', UserList)
      invocation.output.list(answer, USERS, answer.users)
    })
}

function defineShow(user: Command, invocation: Invocation): void {
  user
    .command('show')
    .argument('<USER>')
    .summary('show an account')
    .description('Shows one account; each role with who gave it.')
    .action(async (name: string) => {
      showUser(invocation, await invocation.client.get(apiPath`/users/${name}`, User))
    })
}

function defineTokens(user: Command, invocation: Invocation): void {
  user
    .command('tokens')
    .argument('<USER>')
    .summary("list somebody's tokens")
    .description(
      'Lists the tokens of a person, those of logins and those of programs; not their secrets.',
    )
    .action(async (name: string) => {
      const answer = await invocation.client.get(apiPath`/users/${name}/tokens`, TokenList)
      invocation.output.list(answer, TOKENS, answer.tokens)
    })
}

function defineRevokeToken(user: Command, invocation: Invocation): void {
  user
    .command('revoke-token')
    .argument('<USER>')
    .argument('<TOKEN>', 'its id or its name')
    .summary("make somebody's token worthless")
    .description('Revokes a token of a person at once.')
    .action(async (name: string, token: string) => {
      await invocation.client.sendOnly('DELETE', apiPath`/users/${name}/tokens/${token}`)
      invocation.say(`${token} of ${name} is revoked.`)
    })
}

function defineCreate(user: Command, invocation: Invocation): void {
  user
    .command('create')
    .argument('<NAME>', 'up to 200 characters; @ and letters of any script are allowed')
    .summary('create a local account')
    .description('Creates a local account. Its password is asked for, or read from a file.')
    .option('--role <ROLE...>', 'roles: admin, observer, or any name that grants use')
    .option('--display-name <TEXT>', 'the display name')
    .option(...PASSWORD_OPTION)
    .action(
      async (
        name: string,
        options: { role?: string[]; displayName?: string; passwordFile?: string },
      ) => {
        const password = await newPassword(name, options.passwordFile)
        showUser(
          invocation,
          await invocation.client.send(
            'POST',
            '/users',
            {
              name,
              password,
              ...(options.role ? { roles: options.role } : {}),
              ...(options.displayName === undefined ? {} : { displayName: options.displayName }),
            },
            User,
          ),
        )
      },
    )
}

function defineChange(user: Command, invocation: Invocation): void {
  user
    .command('change')
    .argument('<USER>')
    .summary('disable, enable or rename for the eye')
    .description('Changes an account. Disabling ends all its logins at once.')
    .option('--disable', 'nobody can log in with it, and nobody stays logged in')
    .option('--enable', 'it can be used again')
    .option('--display-name <TEXT>', 'the display name')
    .action(
      async (name: string, options: { disable?: true; enable?: true; displayName?: string }) => {
        if (options.disable && options.enable)
          throw new CliError('usage', 'Give --disable or --enable, not both.')
        const patch = {
          ...(options.disable ? { disabled: true } : options.enable ? { disabled: false } : {}),
          ...(options.displayName === undefined ? {} : { displayName: options.displayName }),
        }
        if (Object.keys(patch).length === 0)
          throw new CliError('usage', 'Say what to change: --disable, --enable or --display-name.')
        showUser(
          invocation,
          await invocation.client.send('PATCH', apiPath`/users/${name}`, patch, User),
        )
      },
    )
}

function definePermissions(user: Command, invocation: Invocation): void {
  user
    .command('permissions')
    .argument('<USER>')
    .summary('what a person may do, and why')
    .description(
      'Shows every pool and machine on which the person has a permission, with the reasons; ' +
        'also of somebody who has never logged in.',
    )
    .action(async (name: string) => {
      showPermissions(
        invocation,
        await invocation.client.get(apiPath`/users/${name}/permissions`, Permissions),
      )
    })
}

function defineAccountActions(user: Command, invocation: Invocation): void {
  defineDelete(user, invocation)
  definePassword(user, invocation)
  defineUnlock(user, invocation)
  defineLogOut(user, invocation)
}

function defineDelete(user: Command, invocation: Invocation): void {
  user
    .command('delete')
    .argument('<USER>')
    .summary('delete an account')
    .description(
      'Deletes an account with its tokens and grants. The last administrator cannot be deleted.',
    )
    .action(async (name: string) => {
      await invocation.client.sendOnly('DELETE', apiPath`/users/${name}`)
      invocation.say(`${name} is deleted.`)
    })
}

function definePassword(user: Command, invocation: Invocation): void {
  user
    .command('password')
    .argument('<USER>')
    .summary('give somebody a new password')
    .description(
      'Sets a new password for a local account; its logins end. For your own there is "berth password".',
    )
    .option(...PASSWORD_OPTION)
    .action(async (name: string, options: { passwordFile?: string }) => {
      await invocation.client.sendOnly('POST', apiPath`/users/${name}/password`, {
        newPassword: await newPassword(name, options.passwordFile),
      })
      invocation.say(`${name} has a new password, and is logged out everywhere.`)
    })
}

function defineUnlock(user: Command, invocation: Invocation): void {
  user
    .command('unlock')
    .argument('<USER>')
    .summary('let somebody try again')
    .description(
      'Lets somebody log in again who has given too many wrong passwords; the lock also ends by itself.',
    )
    .action(async (name: string) => {
      await invocation.client.sendOnly('POST', apiPath`/users/${name}/unlock`, {})
      invocation.say(`${name} can try again.`)
    })
}

function defineLogOut(user: Command, invocation: Invocation): void {
  user
    .command('log-out')
    .argument('<USER>')
    .summary("end somebody's logins")
    .description('Ends all sessions and logins of an account, and all its tokens of programs.')
    .action(async (name: string) => {
      await invocation.client.sendOnly('POST', apiPath`/users/${name}/log-out`, {})
      invocation.say(`${name} is logged out everywhere.`)
    })
}

async function newPassword(name: string, file: string | undefined): Promise<string> {
  const password = await readSecret(`new password of ${name}`, file, '--password-file')
  if (
    file === undefined &&
    (await readSecret('new password again', undefined, '--password-file')) !== password
  )
    throw new CliError('usage', 'The passwords are not the same; nothing was changed.')
  return password
}
