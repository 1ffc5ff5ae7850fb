import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Value } from '@sinclair/typebox/value'
import { ProviderSettings } from '../../../broker/login-settings.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { CLIENT_SECRET, type OpenIdProvider, startProvider, Walker } from './openid-provider.js'
import { freePort } from '../../support/free-port.js'

/** The settings of a broker for this provider, whose secret is written where they say. `roles`: by group. */
export function corporationSettings(
  provider: OpenIdProvider,
  roles: Readonly<Record<string, readonly string[]>>,
): ProviderSettings {
  const secret = join(provider.folder, 'secret')
  writeFileSync(secret, `${CLIENT_SECRET}\n`)
  return Value.Default(ProviderSettings, {
    name: 'corp',
    title: 'The corporation',
    issuer: provider.issuer,
    'client-id': 'berth',
    'client-secret-file': secret,
    'ca-file': provider.ca,
    scope: 'openid profile groups',
    roles,
  }) as ProviderSettings
}

export async function office(t: Pick<typeof import('tap').t, 'teardown'>): Promise<{
  broker: SimulatedBroker
  provider: OpenIdProvider
  host: string
  walker: () => Walker
}> {
  const port = await freePort()
  const provider = await startProvider(`https://127.0.0.1:${port}`)
  const settings = corporationSettings(provider, { Desks: ['staff'], Root: ['admin'] })
  const broker = await SimulatedBroker.start({
    config: { listenPort: port, oidcProviders: [settings] },
  })
  t.teardown(async () => {
    await broker.remove()
    await provider.remove()
  })
  provider.claims = {
    'sub-1': {
      preferred_username: 'alice@example.test',
      name: 'Alice',
      groups: ['desks', 'others'],
    },
  }
  return {
    broker,
    provider,
    host: `127.0.0.1:${port}`,
    walker: () => new Walker([broker.ca, readFileSync(provider.ca, 'utf8')]),
  }
}
