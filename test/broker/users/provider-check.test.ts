import { readFileSync, writeFileSync } from 'node:fs'
import { Value } from '@sinclair/typebox/value'
import t, { type Test } from 'tap'
import type { ProviderTest } from '../../../broker/api/users.js'
import { ProviderSettings } from '../../../broker/login-settings.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { Walker } from './openid-provider.js'
import { startStubProvider, type StubProvider } from './stub-provider.js'
import { freePort } from '../../support/free-port.js'

interface Stage {
  readonly broker: SimulatedBroker
  readonly stub: StubProvider
  readonly test: () => Promise<ProviderTest>
  readonly logIn: () => Promise<{ status: number; text: string; url: string }>
  /** Other settings of the provider; the broker starts again. */
  readonly change: (settings: Record<string, unknown>) => Promise<void>
}

async function stage(t: Test): Promise<Stage> {
  const stub = await startStubProvider()
  const listenPort = await freePort()
  const base = {
    name: 'corp',
    issuer: stub.issuer,
    'client-id': 'berth',
    'client-secret-file': stub.secretFile,
    'ca-file': stub.ca,
    scope: 'openid profile groups',
    roles: { Desks: ['staff'] },
  }
  const settings = (more: object): ProviderSettings =>
    Value.Default(ProviderSettings, { ...base, ...more }) as ProviderSettings
  const broker = await SimulatedBroker.start({
    config: { listenPort, oidcProviders: [settings({})] },
  })
  t.teardown(async () => {
    await broker.remove()
    stub.remove()
  })
  return {
    broker,
    stub,
    test: async () => await broker.admin.post<ProviderTest>('/login/oidc/corp/test'),
    logIn: async () =>
      await new Walker([broker.ca, readFileSync(stub.ca, 'utf8')]).open(
        `${broker.url}/api/v1/login/oidc/corp?returnTo=/healthz`,
      ),
    change: async (more) => {
      await broker.stop()
      await broker.start({ oidcProviders: [settings(more)] })
    },
  }
}

const step = ({ steps }: ProviderTest, name: string): string => {
  const found = steps.find((one) => one.step === name)
  return found ? `${found.good ? 'good' : 'fault'}: ${found.said}` : 'none'
}

t.test('a good provider passes every step, and what it does not say is told', async (t) => {
  const { broker, stub, test, logIn } = await stage(t)
  const seen = await test()
  t.equal(seen.good, true, JSON.stringify(seen.steps))
  t.same(
    seen.steps.map((one) => one.step),
    [
      'discovery',
      'clock',
      'keys',
      'token-auth',
      'client',
      'scope',
      'name',
      'roles',
      'redirect',
      'device',
    ],
  )
  t.match(step(seen, 'redirect'), `${broker.url}/api/v1/login/oidc/corp/callback`)
  t.match(await logIn(), { status: 200, url: /\/healthz$/ })
  stub.metadata = { claims_supported: ['sub', 'preferred_username'], scopes_supported: ['openid'] }
  const told = await test()
  t.match(step(told, 'name'), /^good: It has the claim "preferred_username"/)
  t.match(step(told, 'roles'), /^good: It does not list the claim "groups"/)
  t.match(step(told, 'scope'), /^good: It does not list the scope profile, groups/)
  t.match(await broker.rows("SELECT * FROM event WHERE action = 'provider.test'"), [
    { object: 'provider:corp', result: 'ok' },
    { result: 'ok' },
  ])
  t.notOk(
    JSON.stringify(await broker.rows('SELECT * FROM event')).includes('a secret of the client'),
  )
  t.match(await broker.admin.raw('POST', '/api/v1/login/oidc/other/test', {}), { status: 404 })
})

t.test('each fault has its own sentence', async (t) => {
  const { stub, test, change } = await stage(t)
  const faults: Array<[string, () => void, string, RegExp]> = faultsOf(stub)
  const secret = readFileSync(stub.secretFile)
  for (const [what, spoil, name, wanted] of faults) {
    spoil()
    const seen = await test()
    t.match(step(seen, name), wanted, what)
    t.equal(seen.good, step(seen, name).startsWith('good'), `${what}: the whole`)
    for (const { said } of seen.steps) t.match(said, /^[^\n]{5,400}$/)
    Object.assign(stub, {
      skewMs: 0,
      alg: 'RS256',
      metadata: {},
      instead: {},
      keys: [{ kty: 'RSA', use: 'sig' }],
    })
    writeFileSync(stub.secretFile, secret)
  }
  await faultsOfTheSettings(t, change, test, stub)
})

function faultsOf(stub: StubProvider): [string, () => void, string, RegExp][] {
  return [
    ['clock', () => (stub.skewMs = 120_000), 'clock', /^fault: .*1(19|20) seconds ahead of/],
    ['clock', () => (stub.skewMs = -45_000), 'clock', /^fault: .*4[456] seconds behind/],
    ['a small skew', () => (stub.skewMs = 10_000), 'clock', /^good: .*no harm/],
    ['no keys', () => (stub.keys = []), 'keys', /^fault: It shows no key/],
    ['only keys to encrypt', () => (stub.keys = [{ kty: 'RSA', use: 'enc' }]), 'keys', /no key/],
    ['no list of keys', () => (stub.keys = 'x'), 'keys', /^fault: .*no list of keys/],
    ['HS256', () => (stub.alg = 'HS256'), 'keys', /^fault: .*HS256 only.*choose a signing key/],
    ['keys away', () => (stub.instead = { '/keys': [503, {}] }), 'keys', /^fault: .*503/],
    [
      'discovery away',
      () => (stub.instead = { '/.well-known/openid-configuration': [404, {}] }),
      'discovery',
      /^fault: /,
    ],
    [
      'another issuer',
      () => (stub.metadata = { issuer: 'https://other.example' }),
      'discovery',
      /^fault: /,
    ],
    [
      'a secret that it does not know',
      () => {
        writeFileSync(stub.secretFile, 'another\n')
      },
      'client',
      /^fault: .*secret in client-secret-file is wrong/,
    ],
    [
      'a busy token endpoint',
      () => (stub.instead = { '/token': [503, { error: 'temporarily_unavailable' }] }),
      'client',
      /^fault: /,
    ],
  ]
}

async function faultsOfTheSettings(
  t: Test,
  change: (settings: Record<string, unknown>) => Promise<void>,
  test: () => Promise<ProviderTest>,
  stub: StubProvider,
): Promise<void> {
  for (const [issuer, wanted] of [
    ['https://127.0.0.1:1', /refuses the connection/],
    ['https://no-such-name.invalid', /name/],
  ] as const) {
    await change({ issuer })
    t.match(step(await test(), 'discovery'), wanted, issuer)
  }
  await change({ 'ca-file': '' })
  t.match(step(await test(), 'discovery'), /no CA that is trusted here: set ca-file/)
  await change({ 'client-secret-file': '/nonexistent' })
  t.match(step(await test(), 'discovery'), /file of the settings/)
  await change({ scope: 'profile' })
  t.match(step(await test(), 'scope'), /^fault: .*openid/)
  stub.metadata = { token_endpoint_auth_methods_supported: ['client_secret_basic'] }
  await change({ 'token-auth': 'post' })
  t.match(step(await test(), 'token-auth'), /^fault: .*client_secret_basic only/)
}

t.test('the secret goes as the provider takes it, or as the settings say', async (t) => {
  const { stub, logIn, change } = await stage(t)
  const last = (): string | undefined => stub.secretsBy.at(-1)
  t.match(await logIn(), { status: 200 })
  t.equal(last(), 'basic', 'the default of the standard')
  for (const [taken, wanted, sent] of [
    [['client_secret_post'], 'default', 'post'],
    [['client_secret_post', 'private_key_jwt'], 'default', 'post'],
    [['client_secret_post', 'client_secret_basic'], 'default', 'basic'],
    [['client_secret_post', 'client_secret_basic'], 'post', 'post'],
    [['client_secret_basic'], 'basic', 'basic'],
  ] as const) {
    stub.metadata = { token_endpoint_auth_methods_supported: taken }
    await change({ 'token-auth': wanted })
    t.match(await logIn(), { status: 200 }, `${taken.join()} and ${wanted}`)
    t.equal(last(), sent)
  }
  stub.metadata = { token_endpoint_auth_methods_supported: ['client_secret_basic'] }
  await change({ 'token-auth': 'post' })
  t.match(await logIn(), { status: 503, text: /client-id or secret.*berth provider test/ })
})

t.test('ID tokens that the client’s own secret signs are refused in words that help', async (t) => {
  const { broker, stub, logIn } = await stage(t)
  stub.alg = 'HS256'
  t.match(await logIn(), { status: 503, text: /HS256.*choose a signing key \(RS256 or ES256\)/ })
  stub.metadata = { id_token_signing_alg_values_supported: ['RS256', 'HS256'] }
  await broker.stop()
  await broker.start()
  t.match(await logIn(), { status: 503, text: /HS256.*choose a signing key \(RS256 or ES256\)/ })
  t.same(await broker.rows('SELECT * FROM web_session'), [])
})

t.test('a provider that cannot answer refuses nobody', async (t) => {
  const { broker, stub, logIn } = await stage(t)
  for (const [status, body] of [
    [503, { error: 'temporarily_unavailable' }],
    [500, { error: 'server_error' }],
    [429, { error: 'slow_down' }],
    [400, { error: 'temporarily_unavailable' }],
    [502, 'bad gateway'],
  ] as const) {
    stub.instead = { '/token': [status, body] }
    t.match(await logIn(), { status: 503, text: /provider_unreachable/ }, `${status}`)
  }
  stub.instead = { '/token': [400, { error: 'invalid_grant' }] }
  t.match(await logIn(), { status: 401 }, 'a refusal is one')
  stub.instead = {}
  t.match(await logIn(), { status: 200 })
  t.same(
    await broker.rows('SELECT * FROM login_failure WHERE failures > 0'),
    [],
    'nothing was counted',
  )
})

t.test('nor does it end a login that waits to be confirmed elsewhere', async (t) => {
  const { broker, stub } = await stage(t)
  stub.metadata = { device_authorization_endpoint: `${stub.issuer}/device` }
  const begun = { device_code: 'd', user_code: 'ABCD', verification_uri: `${stub.issuer}/x` }
  stub.instead = { '/device': [200, { ...begun, expires_in: 600, interval: 1 }] }
  const { handle } = await broker.anybody.post<{ handle: string }>('/login/oidc/corp/device')
  const poll = async (answer: readonly [number, unknown]) => {
    stub.instead = { '/token': answer }
    return await broker.anybody.raw('POST', '/api/v1/login/oidc/corp/poll', { handle })
  }
  t.match(await poll([400, { error: 'authorization_pending' }]), { status: 200 })
  for (const away of [
    [503, { error: 'temporarily_unavailable' }],
    [500, { error: 'server_error' }],
    [502, 'bad gateway'],
    [401, { error: 'invalid_client' }],
  ] as const)
    t.match(await poll(away), { status: 503, body: { code: 'provider_unreachable' } })
  t.match(await poll([400, { error: 'authorization_pending' }]), {
    status: 200,
    body: { login: null },
  })
  t.match(await poll([400, { error: 'access_denied' }]), { status: 401 }, 'a no is one')
  t.match(await poll([400, { error: 'authorization_pending' }]), { status: 401 }, 'and ends it')
})
