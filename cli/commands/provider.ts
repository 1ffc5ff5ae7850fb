import type { Command } from 'commander'
import { LoginProviders, ProviderTest } from '../../broker/api/users.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { tableOf } from '../output.js'

export function defineProviderCommands(program: Command, invocation: Invocation): void {
  const provider = program
    .command('provider')
    .summary('OpenID Connect providers')
    .description(
      "Login providers that people come from. They stand in the broker's settings.\nProxmox " +
        'VE: realms of the type openid.',
    )
  defineList(provider, invocation)
  defineTest(provider, invocation)
}

function defineList(provider: Command, invocation: Invocation): void {
  provider
    .command('list')
    .summary('list login providers')
    .description('Lists the login providers in the order of the login page.')
    .action(async () => {
      const answer = await invocation.client.get('/login/providers', LoginProviders)
      invocation.output.list(
        answer,
        [
          ['NAME', (it) => it.name],
          ['TITLE', (it) => it.title],
        ],
        answer.providers,
      )
    })
}

function defineTest(provider: Command, invocation: Invocation): void {
  provider
    .command('test')
    .argument('[NAME]', 'the provider; needed when there are several')
    .summary('what a login with it needs')
    .description(
      'Asks a login provider what a login needs, and shows each step: discovery, clock, ' +
        'keys, how the secret is sent, whether it takes the secret, scope and claims. Nothing ' +
        'changes. Exit code 1 when logins would fail.',
    )
    .action(async (name: string | undefined) => {
      const answer = await invocation.client.send(
        'POST',
        apiPath`/login/oidc/${name ?? (await onlyProvider(invocation))}/test`,
        {},
        ProviderTest,
      )
      invocation.output.show(answer, () =>
        tableOf(
          [
            ['STEP', (it) => it.step],
            ['', (it) => (it.good ? 'ok' : 'FAULT')],
            ['', (it) => it.said],
          ],
          answer.steps,
        ),
      )
      if (!answer.good) invocation.end('refused')
    })
}

async function onlyProvider(invocation: Invocation): Promise<string> {
  const { providers } = await invocation.client.get('/login/providers', LoginProviders)
  const [only, ...others] = providers
  if (!only || others.length > 0)
    throw new CliError(
      'usage',
      only
        ? `Which provider? ${providers.map(({ name }) => name).join(', ')}.`
        : "The broker's settings have no login provider.",
    )
  return only.name
}
