import { type Command, Option } from 'commander'
import {
  type Grant,
  GrantList,
  Grant as GrantSchema,
  OBJECT_KINDS,
  type ObjectKind,
  type SubjectKind,
  VERBS,
} from '../../broker/api/permissions.js'
import { apiQuery } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import type { Column } from '../output.js'

interface Who {
  readonly user?: string
  readonly role?: string
}
interface Place {
  readonly kind: ObjectKind
  readonly object: string
  readonly subjectKind: SubjectKind
  readonly subject: string
}

const COLUMNS: ReadonlyArray<Column<Grant>> = [
  ['OBJECT', (it) => `${it.kind}:${it.object}`],
  ['WHO', (it) => `${it.subjectKind}:${it.subject}`],
  ['MAY', (it) => it.verbs.join(',')],
]
const OBJECT = 'pool:NAME or machine:NAME'

export function defineGrantCommands(program: Command, invocation: Invocation): void {
  const grant = program
    .command('grant')
    .summary('who may do what')
    .description(
      'Permissions of people and roles on pools and machines. Without a grant nobody may do ' +
        "anything; grants add up. A pool's grants govern its " +
        `members.\nPermissions: ${VERBS.join(', ')}; * and admin are all of them, takeConsole ` +
        `has accessConsole in it.\nProxmox VE: permissions. Horizon: entitlements.`,
    )
  defineList(grant, invocation)
  defineAdd(grant, invocation)
  defineRemove(grant, invocation)
}

function defineList(grant: Command, invocation: Invocation): void {
  grant
    .command('list')
    .summary('list grants')
    .description('Lists grants, all or some.')
    .option('--on <OBJECT>', OBJECT)
    .addOption(new Option('--user <USER>', 'of this person').conflicts('role'))
    .option('--role <ROLE>', 'of this role')
    .action(async (options: Who & { on?: string }) => {
      const place = options.on === undefined ? {} : parseObject(options.on)
      const isOfAnybody = options.user === undefined && options.role === undefined
      const who = isOfAnybody ? {} : parseWho(options)
      const answer = await invocation.client.get(
        `/grants${apiQuery({ ...place, ...who })}`,
        GrantList,
      )
      invocation.output.list(answer, COLUMNS, answer.grants)
    })
}

function defineAdd(grant: Command, invocation: Invocation): void {
  grant
    .command('add')
    .argument('<OBJECT>', OBJECT)
    .argument('<VERB...>', VERBS.join(', '))
    .summary('permit something')
    .description(
      'Adds permissions to those that the person or role has on the pool or machine. The ' +
        'person need not have logged in yet.',
    )
    .addOption(new Option('--user <USER>', 'whom').conflicts('role'))
    .option('--role <ROLE>', 'whom; the role "user" is everybody')
    .action(async (object: string, verbs: string[], who: Who) => {
      const place = { ...parseObject(object), ...parseWho(who) }
      await set(invocation, place, [...new Set([...(await verbsAt(invocation, place)), ...verbs])])
    })
}

function defineRemove(grant: Command, invocation: Invocation): void {
  grant
    .command('remove')
    .argument('<OBJECT>', OBJECT)
    .argument('[VERB...]', 'which; without any, all')
    .summary('take a permission back')
    .description('Takes permissions back, some or all.')
    .addOption(new Option('--user <USER>', 'whose').conflicts('role'))
    .option('--role <ROLE>', 'whose')
    .action(async (object: string, verbs: string[], who: Who) => {
      const place = { ...parseObject(object), ...parseWho(who) }
      const left =
        verbs.length === 0
          ? []
          : (await verbsAt(invocation, place)).filter((verb) => !verbs.includes(verb))
      if (left.length > 0) return await set(invocation, place, left)
      await invocation.client.sendOnly('DELETE', `/grants${apiQuery({ ...place })}`)
      invocation.say(
        `The ${place.subjectKind} ${place.subject} has no grant on the ${place.kind} ${place.object} any more.`,
      )
    })
}

async function set(invocation: Invocation, place: Place, verbs: readonly string[]): Promise<void> {
  const grant = await invocation.client.send('PUT', '/grants', { ...place, verbs }, GrantSchema)
  invocation.output.list(grant, COLUMNS, [grant])
}

async function verbsAt(invocation: Invocation, place: Place): Promise<string[]> {
  return (
    await invocation.client.get(`/grants${apiQuery({ ...place })}`, GrantList)
  ).grants.flatMap((grant) => grant.verbs)
}

function parseObject(text: string): { kind: ObjectKind; object: string } {
  const [kind = '', ...rest] = text.split(':')
  const known = OBJECT_KINDS.find((one) => one === kind)
  if (known === undefined || rest.length === 0)
    throw new CliError('usage', `${text} is not ${OBJECT}.`)
  return { kind: known, object: rest.join(':') }
}

function parseWho({ user, role }: Who): { subjectKind: SubjectKind; subject: string } {
  if (user !== undefined) return { subjectKind: 'user', subject: user }
  if (role !== undefined) return { subjectKind: 'role', subject: role }
  throw new CliError('usage', 'Say whom: --user NAME or --role NAME.')
}
