import { pino } from 'pino'
import t, { type Test } from 'tap'
import { localPath } from '../../../broker/users/local-path.js'
import { isOneOf } from '../../../broker/users/trusted-proxy.js'
import { ApiClient, type RawAnswer } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { BrowserClient } from './browser-client.js'

t.test('a path of this broker and nothing else', async (t) => {
  for (const good of ['/', '/machines?x=1#y', '/a//b']) t.equal(localPath(good), good)
  for (const bad of [
    '',
    'machines',
    '//evil.example',
    '/\\evil.example',
    'https://evil.example/',
    '/\t/evil.example',
    'javascript:alert(1)',
    '\\\\evil.example',
  ])
    t.throws(() => localPath(bad), { code: 'invalid_request' }, bad)
})

t.test('a session: cookie, forged requests, log-out', async (t) => {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  const browser = new BrowserClient(broker)
  await cookieOfALogin(t, browser, broker)
  t.match(await browser.ask('GET', '/api/v1/session'), {
    status: 200,
    body: { csrf: browser.csrf },
  })
  t.match(await browser.ask('POST', '/api/v1/tokens', { name: 'a' }), { status: 201 })
  await forgedIsRefused(t, browser)
  const bare = {
    cookie: `__Host-berth=${browser.cookies.get('__Host-berth') ?? ''}`,
    'x-berth-csrf': browser.csrf,
  }
  t.match(
    await broker.anybody.raw('POST', '/api/v1/tokens', { name: 'c' }, bare),
    { status: 403 },
    'a request that says nothing of where it comes from',
  )
  t.same(await broker.rows("SELECT name FROM token WHERE name IN ('b', 'c')"), [])
  t.notOk(
    JSON.stringify(await broker.rows('SELECT * FROM web_session')).includes(
      browser.cookies.get('__Host-berth') ?? 'none',
    ),
    'kept as a hash',
  )
  const old = bare.cookie
  await browser.logIn('admin', broker.adminPassword)
  t.match(
    await broker.anybody.raw('GET', '/api/v1/session', undefined, { cookie: old }),
    { status: 401 },
    'a new login ends the old session',
  )
  t.match(await browser.ask('DELETE', '/api/v1/session'), { status: 200, body: { goTo: null } })
  t.same(
    [...browser.cookies.keys()],
    ['__Host-berth-known'],
    'the mark of a known browser is no session',
  )
  t.same(await broker.rows('SELECT * FROM web_session'), [])
})

async function cookieOfALogin(
  t: Test,
  browser: BrowserClient,
  broker: SimulatedBroker,
): Promise<void> {
  t.match(
    await browser.ask(
      'POST',
      '/api/v1/session',
      { name: 'admin', password: broker.adminPassword },
      { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    ),
    { status: 403 },
    'another site logs nobody in',
  )
  const answer = await browser.logIn('admin', broker.adminPassword)
  t.match(answer, { status: 200, body: { name: 'admin', role: 'admin', csrf: /.{40}/ } })
  const [cookie = ''] = answer.headers['set-cookie'] as string[]
  t.match(cookie, /^__Host-berth=[\w-]{43}; /)
  for (const part of ['HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/', 'Expires='])
    t.ok(cookie.includes(part), part)
  t.notMatch(cookie, /Domain=/i)
}

async function forgedIsRefused(t: Test, browser: BrowserClient): Promise<void> {
  const forged: ReadonlyArray<Record<string, string>> = [
    { 'x-berth-csrf': '' },
    { 'x-berth-csrf': 'x'.repeat(43) },
    { origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'null' },
  ]
  for (const headers of forged)
    t.match(
      await browser.ask('POST', '/api/v1/tokens', { name: 'b' }, headers),
      { status: 403, body: { code: 'forbidden' } },
      JSON.stringify(headers),
    )
  t.match(await browser.ask('DELETE', '/api/v1/tokens/a', undefined, { 'x-berth-csrf': '' }), {
    status: 403,
  })
}

t.test(
  "a new password of one's own ends the other logins, and neither this browser nor this command line",
  async (t) => {
    const broker = await SimulatedBroker.start()
    t.teardown(async () => {
      await broker.remove()
    })
    const [here, other] = [new BrowserClient(broker), new BrowserClient(broker)]
    await broker.admin.post('/users', { name: 'carol', password: 'correct horse battery' })
    for (const browser of [here, other]) await browser.logIn('carol', 'correct horse battery')
    t.match(
      await here.ask('POST', '/api/v1/password', {
        oldPassword: 'correct horse battery',
        newPassword: 'another long password',
      }),
      { status: 204 },
    )
    t.match(await here.ask('GET', '/api/v1/session'), { status: 200, body: { name: 'carol' } })
    t.match(await other.ask('GET', '/api/v1/session'), { status: 401 })
    const { token } = await broker.anybody.post<{ token: string }>('/login', {
      name: 'carol',
      password: 'another long password',
    })
    const line = new ApiClient(broker.url, broker.ca, token)
    await line.post('/password', {
      oldPassword: 'another long password',
      newPassword: 'correct horse battery',
    })
    t.match(await line.get('/whoami'), { name: 'carol' })
    t.match(await here.ask('GET', '/api/v1/session'), { status: 401 })
  },
)

t.test(
  'log-out everywhere; a session that nobody uses ends, and each ends in the end',
  async (t) => {
    const broker = await SimulatedBroker.start({
      config: { sessionIdleMs: 600, sessionLengthMs: 2_500 },
    })
    t.teardown(async () => {
      await broker.remove()
    })
    const [one, two] = [new BrowserClient(broker), new BrowserClient(broker)]
    await one.logIn('admin', broker.adminPassword)
    await two.logIn('admin', broker.adminPassword)
    t.match(await one.ask('DELETE', '/api/v1/sessions'), { status: 204 })
    t.match(await two.ask('GET', '/api/v1/session'), { status: 401 })
    t.match(await broker.admin.get('/whoami'), { token: 'test' }, 'tokens of programs stay')
    await one.logIn('admin', broker.adminPassword)
    const begun = Date.now()
    await until(
      async () => {
        const { status } = await one.ask('GET', '/api/v1/session')
        return status === 401
      },
      { withinMs: 6_000, everyMs: 100, what: 'the session ends although it is used' },
    )
    t.ok(Date.now() - begun > 1_500, `after ${Date.now() - begun} ms, and not for being idle`)
    await two.logIn('admin', broker.adminPassword)
    await broker.run('UPDATE web_session SET seen_at = seen_at - 700')
    t.match(await two.ask('GET', '/api/v1/session'), { status: 401 })
  },
)

t.test('addresses of a proxy', async (t) => {
  for (const [address, list, result] of [
    ['10.0.0.1', ['10.0.0.1'], true],
    ['::ffff:10.0.0.1', ['10.0.0.1'], true],
    ['10.0.0.2', ['10.0.0.1'], false],
    ['10.0.3.4', ['10.0.0.0/16'], true],
    ['fd00::5', ['fd00::/8'], true],
    ['fd00::5', ['10.0.0.0/8'], false],
    ['nonsense', ['10.0.0.0/8'], false],
  ] as const)
    t.equal(isOneOf(address, list), result, `${address} in ${list.join()}`)
})

t.test("a trusted proxy names the person; anybody else's header counts for nothing", async (t) => {
  const lines: string[] = []
  const proxy = {
    header: 'X-Remote-User',
    addresses: ['127.0.0.1'],
    'groups-header': 'X-Remote-Groups',
    roles: { 'Desk Staff': ['staff'], Admins: ['admin'] },
  }
  const broker = await SimulatedBroker.start({
    config: { trustedProxy: proxy },
    log: pino(
      { level: 'warn' },
      {
        write: (line: string) => {
          lines.push(line)
        },
      },
    ),
  })
  t.teardown(async () => {
    await broker.remove()
  })
  const ask = async (headers: Record<string, string>, method = 'GET', path = '/api/v1/whoami') =>
    await broker.anybody.raw(method, path, method === 'GET' ? undefined : {}, headers)
  await headerNamesThePerson(t, ask, broker)
  await broker.stop()
  const other = await SimulatedBroker.start({
    directory: broker.directory,
    config: { trustedProxy: { ...proxy, addresses: ['192.0.2.1'] } },
    log: pino(
      { level: 'warn' },
      {
        write: (line: string) => {
          lines.push(line)
        },
      },
    ),
  })
  for (let round = 0; round < 3; round += 1)
    t.match(
      await other.anybody.raw('GET', '/api/v1/whoami', undefined, {
        'x-remote-user': 'harry@example.org',
        'x-forwarded-for': '192.0.2.1',
      }),
      { status: 401 },
    )
  t.equal(lines.filter((line) => line.includes('only the trusted proxy')).length, 1, 'told once')
  await other.stop()
})

async function headerNamesThePerson(
  t: Test,
  ask: (headers: Record<string, string>, method?: string, path?: string) => Promise<RawAnswer>,
  broker: SimulatedBroker,
): Promise<void> {
  t.match(
    await ask({
      'x-remote-user': 'harry@example.org',
      'x-remote-groups': 'desk staff, others',
      'x-forwarded-for': '6.6.6.6, 192.0.2.7',
    }),
    { status: 200, body: { name: 'harry@example.org', source: 'proxy', roles: ['staff'] } },
  )
  t.match((await broker.rows("SELECT address FROM event WHERE actor = 'harry@example.org'"))[0], {
    address: '192.0.2.7',
  })
  t.match(
    await ask({ 'x-remote-user': 'harry@example.org', 'x-remote-groups': '' }),
    { body: { roles: [] } },
    'roles are those of now',
  )
  await ask({ 'x-remote-user': 'harry@example.org', 'x-remote-groups': 'admins' })
  t.match(
    await ask({ 'x-remote-user': 'harry@example.org' }),
    { status: 200, body: { roles: ['admin'] } },
    'a proxy that sends no groups takes no role away',
  )
  await ask({ 'x-remote-user': 'harry@example.org', 'x-remote-groups': '' })
  t.match(await ask({ 'x-remote-user': Buffer.from('Zoë', 'utf8').toString('latin1') }), {
    body: { name: 'Zoë' },
  })
  t.match(
    await ask({ 'x-remote-user': 'admin' }),
    { status: 403 },
    'a local account is not taken over',
  )
  t.match(
    await ask(
      { 'x-remote-user': 'harry@example.org', 'sec-fetch-site': 'cross-site' },
      'POST',
      '/api/v1/tokens',
    ),
    { status: 403 },
    'nor does another site ask in his name',
  )
}
