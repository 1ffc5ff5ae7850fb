import type { Command } from 'commander'
import { RoleList, User } from '../../broker/api/users.js'
import { apiPath } from '../broker-client.js'
import type { Invocation } from '../invocation.js'
import { showUser } from './user-table.js'

export function defineRoleCommands(program: Command, invocation: Invocation): void {
  const role = program
    .command('role')
    .summary('roles of people')
    .description(
      'Roles: admin may everything, observer reads everything, user is everybody; any other ' +
        'name is what grants make of it. Groups of a directory give roles too, by the ' +
        'settings.\nProxmox VE: groups.',
    )
  defineList(role, invocation)
  defineAdd(role, invocation)
  defineRemove(role, invocation)
}

function defineList(role: Command, invocation: Invocation): void {
  role
    .command('list')
    .summary('list roles')
    .description('Lists the roles that somebody has or that a grant names.')
    .action(async () => {
      const answer = await invocation.client.get('/roles', RoleList)
      invocation.output.list(
        answer,
        [
          ['ROLE', (it) => it.role],
          ['USERS', (it) => (it.role === 'user' ? 'everybody' : it.users)],
          ['GRANTS', (it) => it.grants],
          ['MEANING', (it) => it.meaning],
        ],
        answer.roles,
      )
    })
}

function defineAdd(role: Command, invocation: Invocation): void {
  role
    .command('add')
    .argument('<USER>')
    .argument('<ROLE...>')
    .summary('give somebody roles')
    .description('Gives a person roles, beside those that a directory gives.')
    .action(async (name: string, roles: string[]) => {
      await changeRoles(invocation, name, (now) => [...new Set([...now, ...roles])])
    })
}

function defineRemove(role: Command, invocation: Invocation): void {
  role
    .command('remove')
    .argument('<USER>')
    .argument('<ROLE...>')
    .summary('take roles away')
    .description(
      'Takes roles away that were given here. What a directory gives is taken away there.',
    )
    .action(async (name: string, roles: string[]) => {
      await changeRoles(invocation, name, (now) =>
        now.filter((one) => !roles.some((role) => role.toLowerCase() === one)),
      )
    })
}

async function changeRoles(
  invocation: Invocation,
  name: string,
  roles: (now: string[]) => string[],
): Promise<void> {
  const account = await invocation.client.get(apiPath`/users/${name}`, User)
  const here = account.roles.filter(({ source }) => source === 'local').map((one) => one.role)
  const body = { roles: roles(here) }
  showUser(invocation, await invocation.client.send('PATCH', apiPath`/users/${name}`, body, User))
}
