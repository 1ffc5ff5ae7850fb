import { type Command, Option } from 'commander'
import { Permissions } from '../../broker/api/permissions.js'
import { DeviceLoginBegun, DeviceLoginPolled, LoginResult, WhoAmI } from '../../broker/api/users.js'
import {
  type BrokerAddress,
  parseBrokerAddress,
  parseTrust,
  showTrust,
  showBrokerAddress,
} from '../broker-address.js'
import { BrokerClient, apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import { configurationPath, readLogin, writeLogin } from '../configuration.js'
import type { Invocation } from '../invocation.js'
import { fieldsOf } from '../output.js'
import { offeredPin } from '../pinned-connection.js'
import { confirm, readSecret } from '../prompts.js'
import { showPermissions } from './user-table.js'

interface LoginOptions {
  readonly broker?: string
  readonly ca?: string
  readonly acceptCa?: string
  readonly yes?: boolean
  readonly user: string
  readonly provider?: string
  readonly passwordFile?: string
}

export function defineLoginCommands(program: Command, invocation: Invocation): void {
  defineLogin(program, invocation)
  defineLogout(program, invocation)
  defineWhoami(program, invocation)
}

function defineLogin(program: Command, invocation: Invocation): void {
  program
    .command('login')
    .summary('log in to a broker and remember it')
    .description(
      'Logs in to a broker and keeps its address, the fingerprint of its certificate ' +
        'authority and a token in cli.json (see "berth help environment"). The broker prints ' +
        'the fingerprint at its first start. The password is asked for, or read from a file; ' +
        'it is never an argument.\nHorizon: the login of Horizon Console. Proxmox VE: an API ' +
        'ticket.',
    )
    .option('--broker <ADDRESS>', 'HOST or HOST:PORT (port 8443); the last one is remembered')
    .option(
      '--ca <FINGERPRINT>',
      "sha256:… of the broker's certificate authority, or a PEM file of it; several with " +
        'commas between, or "system": those that this computer trusts',
    )
    .addOption(new Option('--accept-ca <FINGERPRINT>', 'the same as --ca').conflicts('ca'))
    .option(
      '--yes',
      'trust the authority that the broker shows, without asking: only on a network where nobody can come between',
    )
    .option('--user <NAME>', 'account', 'admin')
    .addOption(
      new Option(
        '--provider <NAME>',
        'log in with an OpenID Connect provider: a code is shown, which you confirm in any browser',
      ).conflicts(['user', 'passwordFile']),
    )
    .option(
      '--password-file <FILE>',
      'file with the password in its first line; - is standard input',
    )
    .action(async (options: LoginOptions) => {
      await login(invocation, options)
    })
}

function defineLogout(program: Command, invocation: Invocation): void {
  program
    .command('logout')
    .summary('forget the token, at the broker too')
    .description(
      'Revokes the token that "berth login" got and removes it from cli.json. The broker and its fingerprint stay.',
    )
    .action(async () => {
      await logout(invocation)
    })
}

function defineWhoami(program: Command, invocation: Invocation): void {
  program
    .command('whoami')
    .summary('show the account and token in use')
    .description('Shows whose token is in use, with its roles and until when; or what you may do.')
    .option('--permissions', 'the pools and machines on which you have a permission, and why')
    .action(async ({ permissions }: { permissions?: true }) => {
      if (permissions)
        return showPermissions(
          invocation,
          await invocation.client.get('/whoami/permissions', Permissions),
        )
      const me = await invocation.client.get('/whoami', WhoAmI)
      invocation.output.show(me, () =>
        fieldsOf(
          [
            ['name', (it: typeof me) => it.name],
            ['role', (it) => it.role],
            ['roles', (it) => it.roles.join(', ')],
            ['from', (it) => it.source],
            ['scopes', (it) => it.scopes?.join(', ') ?? 'all'],
            ['token', (it) => it.token],
            ['expires', (it) => it.expiresAt ?? 'never'],
            ['broker', () => showBrokerAddress(invocation.client.target.address)],
          ],
          me,
        ),
      )
    })
}

async function login(invocation: Invocation, options: LoginOptions): Promise<void> {
  const saved = readLogin(process.env)
  const named = options.broker ?? process.env['BERTH_BROKER'] ?? saved?.broker
  if (named === undefined) throw new CliError('usage', 'Which broker? Give --broker HOST.')
  const address = parseBrokerAddress(named)
  const broker = showBrokerAddress(address)
  const given =
    options.ca ??
    options.acceptCa ??
    process.env['BERTH_CA'] ??
    (saved?.broker === broker ? saved.ca : undefined)
  const trust =
    given === undefined ? [await acceptOffered(invocation, address, options)] : parseTrust(given)
  const client = new BrokerClient({ address, trust, token: null })
  const result =
    options.provider === undefined
      ? await loginByPassword(client, options)
      : await loginByCode(invocation, client, options.provider)
  writeLogin(process.env, { broker, ca: showTrust(trust), token: result.token })
  invocation.say(
    `Logged in to ${broker} as ${result.name} (${result.role}) until ${result.expiresAt}; ` +
      `kept in ${configurationPath(process.env)}.`,
  )
}

interface LoggedIn extends LoginResult {
  readonly name: string
}

async function loginByPassword(client: BrokerClient, options: LoginOptions): Promise<LoggedIn> {
  const password = await readSecret(
    `password of ${options.user} at ${showBrokerAddress(client.target.address)}`,
    options.passwordFile,
    '--password-file',
  )
  return {
    ...(await client.send('POST', '/login', { name: options.user, password }, LoginResult)),
    name: options.user,
  }
}

/** RFC 8628: the person confirms a code in a browser, and we ask until it is done. */
async function loginByCode(
  invocation: Invocation,
  client: BrokerClient,
  provider: string,
): Promise<LoggedIn> {
  const begun = await client.send(
    'POST',
    apiPath`/login/oidc/${provider}/device`,
    {},
    DeviceLoginBegun,
  )
  invocation.say(
    `Open ${begun.verificationUriComplete ?? begun.verificationUri} in a browser and confirm ` +
      `the code ${begun.userCode}.`,
  )
  for (;;) {
    await new Promise((resolve) => {
      setTimeout(resolve, begun.intervalMs)
    })
    const { login } = await client.send(
      'POST',
      apiPath`/login/oidc/${provider}/poll`,
      { handle: begun.handle },
      DeviceLoginPolled,
    )
    if (login) return login
  }
}

async function acceptOffered(
  invocation: Invocation,
  address: BrokerAddress,
  options: LoginOptions,
): Promise<string> {
  const pin = await offeredPin(address)
  invocation.say(`The certificate authority of ${showBrokerAddress(address)} is ${pin}.`)
  if (options.yes === true) return pin
  const instead = `compare that fingerprint with what the broker printed and give --ca ${pin}`
  if (!(await confirm('Is this what the broker printed at its first start?', instead)))
    throw new CliError('refused', 'Not confirmed; nothing was sent and nothing was kept.')
  return pin
}

async function logout(invocation: Invocation): Promise<void> {
  const saved = readLogin(process.env)
  if (saved?.token === undefined) {
    invocation.say('Not logged in; nothing to do.')
    return
  }
  const client = new BrokerClient({
    address: parseBrokerAddress(saved.broker),
    trust: parseTrust(saved.ca),
    token: saved.token,
  })
  try {
    const me = await client.get('/whoami', WhoAmI)
    await client.sendOnly('DELETE', apiPath`/tokens/${me.token}`)
    invocation.say(`Logged out of ${saved.broker}.`)
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    invocation.say(
      `The token was removed here, but it could not be revoked at the broker: ${error.message}`,
    )
  }
  writeLogin(process.env, { broker: saved.broker, ca: saved.ca })
}
