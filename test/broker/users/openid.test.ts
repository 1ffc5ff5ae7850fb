import t, { type Test } from 'tap'
import { claimAt, groupsOf } from '../../../broker/users/claims.js'
import { ApiClient } from '../../support/api-client.js'
import { office } from './openid-office.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'
import type { OpenIdProvider } from './openid-provider.js'

t.test('a claim by its name, also inside of others', async (t) => {
  t.same(claimAt({ 'a.b': 1, a: { b: 2 } }, 'a.b'), 1)
  t.same(claimAt({ realm_access: { roles: ['x'] } }, 'realm_access.roles'), ['x'])
  t.same(claimAt({ a: 'text' }, 'a.b.c'), undefined)
})

t.test('groups in the shapes that providers send; what was not said is not "none"', async (t) => {
  for (const value of [
    '["a","b"]',
    ['a', 'b'],
    [{ name: 'a' }, { displayName: 'b' }],
    [{ value: 'a' }, { id: 'b' }],
  ])
    t.same(groupsOf({ groups: value }, 'groups'), { groups: ['a', 'b'], missing: null })
  t.same(groupsOf({ groups: 'a' }, 'groups'), { groups: ['a'], missing: null })
  t.same(groupsOf({ groups: [] }, 'groups'), { groups: [], missing: null })
  t.same(groupsOf({ 'https://x.test/groups': ['a'] }, 'https://x.test/groups').groups, ['a'])
  t.match(groupsOf({ _claim_names: { groups: 'src1' } }, 'groups'), { missing: /too many/ })
  t.match(groupsOf({ hasgroups: true }, 'groups'), { missing: /too many/ })
  for (const claims of [
    {},
    { groups: null },
    { groups: 7 },
    { groups: [7, 'a'] },
    { groups: [{ x: 1 }] },
  ])
    t.match(groupsOf(claims, 'groups'), { missing: /claim/ }, JSON.stringify(claims))
})

t.test('a claim that is missing at a later login takes no role away', async (t) => {
  const { broker, provider, walker } = await office(t)
  const login = async () =>
    await walker().open(`${broker.url}/api/v1/login/oidc/corp?returnTo=/openapi.json`)
  const alice = { preferred_username: 'alice', name: 'Alice' }
  for (const [groups, roles] of [
    [['desks'], [{ role: 'staff' }]],
    [undefined, [{ role: 'staff' }]],
    [[], []],
  ] as const) {
    provider.claims = { 'sub-1': { ...alice, ...(groups ? { groups: [...groups] } : {}) } }
    await login()
    t.match(await broker.admin.get('/users/alice'), { roles })
  }
  t.match(await broker.admin.get('/events?action=account.roles-unknown'), {
    events: [{ actor: 'alice' }],
  })
})

t.test(
  'a login through a real provider: code, PKCE, state, nonce, roles from claims, and a session',
  async (t) => {
    const { broker, provider, host, walker } = await office(t)
    const browser = walker()
    t.match(await broker.anybody.get('/login/providers'), {
      password: true,
      providers: [{ name: 'corp', title: 'The corporation' }],
    })
    await beginsWithPkce(t, broker, host)
    const page = await browser.open(
      `${broker.url}/api/v1/login/oidc/corp?returnTo=${encodeURIComponent('/openapi.json?x=1')}`,
    )
    t.match(page.url, `${broker.url}/openapi.json?x=1`, 'it ends where it should')
    const session = browser.cookie(host, '__Host-berth') ?? ''
    t.match(
      await broker.anybody.raw('GET', '/api/v1/session', undefined, {
        cookie: `__Host-berth=${session}`,
      }),
      {
        status: 200,
        body: {
          name: 'alice@example.test',
          displayName: 'Alice',
          source: 'corp',
          roles: ['staff'],
          role: 'user',
        },
      },
    )
    t.match(await broker.admin.get('/users/alice@example.test'), {
      source: 'corp',
      hasPassword: false,
    })
    await logsOutAtBoth(t, broker, session, provider)
    t.same(await broker.rows('SELECT * FROM web_session'), [])
  },
)

async function beginsWithPkce(t: Test, broker: SimulatedBroker, host: string): Promise<void> {
  const begun = await broker.anybody.raw('GET', '/api/v1/login/oidc/corp?returnTo=/machines')
  const asked = new URL(String(begun.headers['location']))
  t.match(Object.fromEntries(asked.searchParams), {
    code_challenge_method: 'S256',
    code_challenge: /.{43}/,
    state: /.{20}/,
    nonce: /.{20}/,
    redirect_uri: `https://${host}/api/v1/login/oidc/corp/callback`,
  })
  t.match(
    (begun.headers['set-cookie'] as string[])[0],
    /^__Host-berth-login=.*HttpOnly; Secure; SameSite=Lax/,
  )
}

async function logsOutAtBoth(
  t: Test,
  broker: SimulatedBroker,
  session: string,
  provider: OpenIdProvider,
): Promise<void> {
  const { csrf } = (
    await broker.anybody.raw('GET', '/api/v1/session', undefined, {
      cookie: `__Host-berth=${session}`,
    })
  ).body as { csrf: string }
  t.match(
    await broker.anybody.raw('DELETE', '/api/v1/session', undefined, {
      cookie: `__Host-berth=${session}`,
      'x-berth-csrf': csrf,
      origin: broker.url,
    }),
    { status: 200, body: { goTo: new RegExp(`^${provider.issuer}/session/end`) } },
  )
}

t.test(
  'a login that another browser began, that was changed, or is repeated is refused',
  async (t) => {
    const { broker, host, walker } = await office(t)
    const [victim, attacker] = [walker(), walker()]
    const callback = await attacker.open(
      `${broker.url}/api/v1/login/oidc/corp`,
      `${broker.url}/api/v1/login/oidc/corp/callback`,
    )
    t.match(await victim.open(callback.url), { status: 401 }, "another browser's")
    for (const change of [
      (url: URL) => {
        url.searchParams.set('state', 'x')
      },
      (url: URL) => {
        url.searchParams.delete('state')
      },
    ]) {
      const url = new URL(callback.url)
      change(url)
      t.match(await attacker.open(url.href), { status: 401 })
    }
    const good = await attacker.open(callback.url, `${broker.url}/`)
    t.equal(good.status, 303)
    t.match(await attacker.open(callback.url), { status: 401 }, 'a second time')
    const other = walker()
    const wrongCode = new URL(
      (
        await other.open(
          `${broker.url}/api/v1/login/oidc/corp`,
          `${broker.url}/api/v1/login/oidc/corp/callback`,
        )
      ).url,
    )
    wrongCode.searchParams.set('code', 'x'.repeat(43))
    const refused = await other.open(wrongCode.href)
    t.match(refused, { status: 401, text: /invalid_grant/ })
    t.equal(other.cookie(host, '__Host-berth'), undefined)
    await foreignAddressesGoNowhere(t, broker)
  },
)

async function foreignAddressesGoNowhere(t: Test, broker: SimulatedBroker): Promise<void> {
  for (const returnTo of ['https://evil.example/', '//evil.example', '/\\evil.example'])
    t.match(
      await broker.anybody.raw(
        'GET',
        `/api/v1/login/oidc/corp?returnTo=${encodeURIComponent(returnTo)}`,
      ),
      { status: 400 },
    )
  t.match(await broker.anybody.raw('GET', '/api/v1/login/oidc/other'), { status: 404 })
  const forged = await broker.broker.app.inject({
    url: '/api/v1/login/oidc/corp',
    headers: { host: 'evil.example' },
  })
  t.notOk(
    String(forged.headers.location).includes('evil.example'),
    'a forged Host header goes nowhere',
  )
}

t.test('who a person is hangs on the subject, not on the name', async (t) => {
  const { broker, provider, walker } = await office(t)
  const arrive = async () =>
    await walker().open(`${broker.url}/api/v1/login/oidc/corp`, `${broker.url}/?`)
  await arrive()
  provider.claims['sub-1'] = { preferred_username: 'renamed', groups: [] }
  await arrive()
  t.match(
    await broker.admin.get('/users/alice@example.test'),
    { roles: [] },
    'the same account under its first name, with the roles of now',
  )
  t.match(await broker.admin.raw('GET', '/api/v1/users/renamed'), { status: 404 })
  provider.who = 'sub-2'
  provider.claims['sub-2'] = { preferred_username: 'alice@example.test', groups: ['root'] }
  t.match(
    await arrive(),
    { status: 403, text: /another person there/ },
    'another person who got the name is not she',
  )
  provider.claims['sub-2'] = { preferred_username: 'admin', groups: [] }
  t.match(await arrive(), { status: 403, text: /comes from local/ })
  provider.claims['sub-2'] = { groups: [] }
  t.match(await arrive(), { status: 401, text: /preferred_username/ })
  provider.who = ''
  t.match(await arrive(), { status: 401, text: /access_denied/ })
  t.same(await broker.rows('SELECT account FROM web_session GROUP BY account'), [
    { account: 'alice@example.test' },
  ])
})

t.test('the device flow: a code on a screen, confirmed in a browser', async (t) => {
  const { broker, provider, walker } = await office(t)
  const begin = async () =>
    await broker.anybody.post<{
      userCode: string
      verificationUri: string
      intervalMs: number
      handle: string
    }>('/login/oidc/corp/device')
  const begun = await begin()
  t.match(begun, {
    userCode: /.{4,}/,
    verificationUri: `${provider.issuer}/device`,
    intervalMs: 5_000,
  })
  const poll = async (handle: string) =>
    await broker.anybody.raw('POST', '/api/v1/login/oidc/corp/poll', { handle })
  t.match(await poll(begun.handle), { status: 200, body: { login: null } })
  const browser = walker()
  const form = await browser.open(begun.verificationUri)
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
  const shown = await browser.post(begun.verificationUri, { xsrf, user_code: begun.userCode })
  await browser.post(begun.verificationUri, {
    xsrf: /name="xsrf" value="([^"]+)"/.exec(shown.text)?.[1] ?? xsrf,
    user_code: begun.userCode,
    confirm: 'yes',
  })
  const { login } = (await poll(begun.handle)).body as {
    login: { name: string; token: string } | null
  }
  t.match(login, { name: 'alice@example.test', role: 'user' })
  t.match(await new ApiClient(broker.url, broker.ca, login?.token ?? '').get('/whoami'), {
    name: 'alice@example.test',
    source: 'corp',
  })
  t.match(await poll(begun.handle), { status: 401 }, 'once')
  t.match(await poll('x'.repeat(43)), { status: 401 })
  const other = await begin()
  await broker.run('UPDATE login_flow SET expires_at = 1')
  t.match(await poll(other.handle), { status: 401 })
  t.notOk(
    JSON.stringify([
      await broker.rows('SELECT * FROM login_flow'),
      await broker.rows('SELECT * FROM event'),
    ]).includes(begun.handle),
  )
})

t.test('a provider that is away is told in a sentence', async (t) => {
  const { broker, provider } = await office(t)
  await provider.remove()
  t.match(await broker.anybody.raw('GET', '/api/v1/login/oidc/corp'), {
    status: 503,
    body: { code: 'provider_unreachable' },
  })
  t.match(
    await broker.anybody.raw('POST', '/api/v1/login', {
      name: 'admin',
      password: broker.adminPassword,
    }),
    { status: 200 },
  )
  provider.remove = async () => {
    await Promise.resolve()
  }
})
