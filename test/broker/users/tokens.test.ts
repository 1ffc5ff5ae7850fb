import t from 'tap'
import type { Token } from '../../../broker/api/users.js'
import { ApiClient } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'

const PASSWORD = 'a long password of theirs'

async function office(config = {}): Promise<{
  broker: SimulatedBroker
  ann: ApiClient
  logIn: () => Promise<ApiClient>
}> {
  const broker = await SimulatedBroker.start({ config })
  await broker.admin.post('/users', { name: 'ann', password: PASSWORD })
  const logIn = async (): Promise<ApiClient> => {
    const { token } = await broker.anybody.post<{ token: string }>('/login', {
      name: 'ann',
      password: PASSWORD,
    })
    return new ApiClient(broker.url, broker.ca, token)
  }
  return { broker, logIn, ann: await logIn() }
}
const tokensOf = async (api: ApiClient, name = 'ann'): Promise<Token[]> =>
  (await api.get<{ tokens: Token[] }>(`/users/${name}/tokens`)).tokens

t.test('an administrator sees and revokes what somebody has; nobody else does', async (t) => {
  const { broker, ann } = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const { token } = await ann.post<{ token: string }>('/tokens', { name: 'left behind' })
  const left = new ApiClient(broker.url, broker.ca, token)
  t.match(await left.get('/whoami'), { name: 'ann' })
  const [login, program] = await tokensOf(broker.admin, 'ANN')
  t.match(login, { kind: 'login', user: 'ann' })
  t.match(program, { kind: 'program', name: 'left behind', id: /^[0-9a-f]{16}$/ })
  t.notOk(JSON.stringify(await tokensOf(broker.admin)).includes(token))
  for (const [method, path] of [
    ['GET', '/users/admin/tokens'],
    ['GET', '/users/ann/tokens'],
    ['DELETE', '/users/admin/tokens/test'],
    ['DELETE', `/users/ann/tokens/${program?.id ?? ''}`],
  ] as const)
    t.match(await ann.raw(method, `/api/v1${path}`), { status: 403 }, `${method} ${path}`)
  await broker.admin.post('/users', { name: 'eve', password: PASSWORD, roles: ['observer'] })
  const eve = new ApiClient(
    broker.url,
    broker.ca,
    (await broker.anybody.post<{ token: string }>('/login', { name: 'eve', password: PASSWORD }))
      .token,
  )
  t.equal((await tokensOf(eve)).length, 2)
  t.match(await eve.raw('DELETE', `/api/v1/users/ann/tokens/${program?.id ?? ''}`), { status: 403 })
  t.match(await left.get('/whoami'), { name: 'ann' }, 'refusals had no effect')
  await broker.admin.delete(`/users/ann/tokens/${program?.id ?? ''}`)
  t.match(await left.raw('GET', '/api/v1/whoami'), { status: 401 }, 'revoked at once')
  t.match(await broker.admin.raw('DELETE', `/api/v1/users/ann/tokens/${program?.id ?? ''}`), {
    status: 404,
    body: { code: 'not_found' },
  })
  t.match(await broker.admin.raw('GET', '/api/v1/users/nobody/tokens'), { status: 404 })
  await ann.post('/tokens', { name: 'by name' })
  await broker.admin.delete('/users/ann/tokens/by%20name')
  t.same(
    (
      await broker.rows<{ actor: string; object: string; detail: string }>(
        "SELECT actor, object, detail FROM event WHERE action = 'token.revoke' ORDER BY id",
      )
    ).map(({ actor, object, detail }) => [actor, object, JSON.parse(detail) as unknown]),
    [
      ['admin', 'token:left behind', { of: 'ann' }],
      ['admin', 'token:by name', { of: 'ann' }],
    ],
  )
})

t.test('one person has at most 50 tokens of programs, and 50 of logins', async (t) => {
  const { broker, ann, logIn } = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const made = await Promise.all(
    Array.from({ length: 60 }, async (_, index) =>
      ann.raw('POST', '/api/v1/tokens', { name: `t${index}` }),
    ),
  )
  t.equal(made.filter(({ status }) => status === 201).length, 50)
  for (const { body } of made.filter(({ status }) => status !== 201))
    t.match(body, { code: 'too_many_tokens', message: /50 tokens.*revoke some/ })
  await ann.delete('/tokens/t0').catch(async () => await ann.delete('/tokens/t59'))
  t.match(await ann.raw('POST', '/api/v1/tokens', { name: 'again' }), { status: 201 })
  await broker.run(
    "UPDATE token SET created_at = created_at - 1000 WHERE account = 'ann' AND kind = 'login'",
  )
  const logins: ApiClient[] = []
  for (let index = 0; index < 55; index++) logins.push(await logIn())
  t.equal(
    (await tokensOf(broker.admin)).filter(({ kind }) => kind === 'login').length,
    50,
    'the oldest logins end',
  )
  t.match(await logins.at(-1)?.get('/whoami'), { name: 'ann' })
  t.match(await ann.raw('GET', '/api/v1/whoami'), { status: 401 }, 'the first of all has ended')
})

t.test('a token does not live longer than the setting says', async (t) => {
  const { broker, ann } = await office({ tokenLifetimeMs: 30 * 86_400_000 })
  t.teardown(async () => {
    await broker.remove()
  })
  await ann.post('/tokens', { name: 'plain' })
  const plain = (await tokensOf(broker.admin)).find(({ name }) => name === 'plain')
  const days = (Date.parse(plain?.expiresAt ?? '') - Date.now()) / 86_400_000
  t.ok(days > 29 && days <= 30, `${days} days`)
  t.match(await ann.raw('POST', '/api/v1/tokens', { name: 'long', validForMs: 31 * 86_400_000 }), {
    status: 400,
    body: { code: 'invalid_request', message: /at most 30 days.*token-lifetime/ },
  })
  t.match(await ann.raw('POST', '/api/v1/tokens', { name: 'short', validForMs: 86_400_000 }), {
    status: 201,
  })
})
