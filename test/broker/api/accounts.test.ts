import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ApiClient } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'

async function started(t: Pick<typeof import('tap').t, 'teardown'>): Promise<SimulatedBroker> {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  return broker
}

async function login(
  broker: SimulatedBroker,
  password = broker.adminPassword,
  name = 'admin',
): Promise<ApiClient> {
  const { token } = await broker.anybody.post<{ token: string }>('/login', { name, password })
  return new ApiClient(broker.url, broker.ca, token)
}

t.test("the data directory and all that is in it are the broker's alone", async (t) => {
  const broker = await started(t)
  const data = join(broker.directory, 'data')
  t.equal(statSync(data).mode & 0o777, 0o700)
  for (const secret of ['admin-password', 'ssh-key', 'ca-key.pem', 'server-key.pem'])
    t.equal(statSync(join(data, secret)).mode & 0o777, 0o600, secret)
  t.match(broker.adminPassword, /^[A-Za-z0-9_-]{24}$/)
})

t.test('a restart makes no second administrator, and the old password stays', async (t) => {
  const broker = await started(t)
  const password = broker.adminPassword
  await broker.stop()
  await broker.start()
  t.equal(broker.adminPassword, password)
  t.equal((await broker.rows('SELECT name FROM account')).length, 1)
  await login(broker)
})

t.test('a second broker on the same data is refused in a sentence', async (t) => {
  const broker = await started(t)
  await t.rejects(SimulatedBroker.start({ directory: broker.directory }), {
    message: /Another broker uses/,
  })
})

t.test('who guesses passwords is told to wait', async (t) => {
  const broker = await started(t)
  let refused = 0
  for (let attempt = 0; attempt < 14; attempt++) {
    const { status, body } = await broker.anybody.raw('POST', '/api/v1/login', {
      name: attempt % 2 === 0 ? 'admin' : 'nobody',
      password: 'wrong',
    })
    if (status === 429) {
      refused += 1
      t.match(body, { code: 'too_many_requests', message: /try again in/ })
    } else
      t.match(
        { status, body },
        {
          status: 401,
          body: { code: 'unauthenticated', message: 'The name or the password is wrong.' },
        },
      )
  }
  t.ok(refused >= 4, `${refused} of 14 were put off`)
  t.match(
    await broker.anybody.raw('POST', '/api/v1/login', {
      name: 'admin',
      password: broker.adminPassword,
    }),
    { status: 429 },
    'the right one too',
  )
  t.match(
    (await broker.rows("SELECT * FROM event WHERE action = 'login' AND result = 'refused'")).length,
    10,
  )
})

t.test('a token ends at its time, and when it is revoked', async (t) => {
  const broker = await started(t)
  const { token } = await broker.admin.post<{ token: string }>('/tokens', {
    name: 'short',
    validForMs: 1_000,
  })
  const short = new ApiClient(broker.url, broker.ca, token)
  t.match(await short.get('/whoami'), { name: 'admin', role: 'admin', token: 'short' })
  await until(async () => (await short.raw('GET', '/api/v1/whoami')).status === 401, {
    withinMs: 3_000,
    what: 'the token has ended',
  })
  const other = await broker.admin.post<{ token: string }>('/tokens', { name: 'other' })
  await t.rejects(broker.admin.post('/tokens', { name: 'other' }), { code: 'name_taken' })
  await broker.admin.delete('/tokens/other')
  t.match(await new ApiClient(broker.url, broker.ca, other.token).raw('GET', '/api/v1/whoami'), {
    status: 401,
  })
  await t.rejects(broker.admin.delete('/tokens/other'), { code: 'not_found' })
})

t.test("an observer's token makes no administrator's", async (t) => {
  const broker = await started(t)
  const { token } = await broker.admin.post<{ token: string }>('/tokens', {
    name: 'looks',
    scopes: ['observe'],
  })
  const observer = new ApiClient(broker.url, broker.ca, token)
  await t.rejects(observer.post('/tokens', { name: 'more', scopes: ['admin'] }), {
    code: 'forbidden',
  })
  const { token: second } = await observer.post<{ token: string }>('/tokens', { name: 'same' })
  t.match(await new ApiClient(broker.url, broker.ca, second).get('/whoami'), { role: 'observer' })
})

t.test(
  'a new password ends other logins and the tokens of programs, but not this login',
  async (t) => {
    const broker = await started(t)
    const [mine, other] = [await login(broker), await login(broker)]
    await t.rejects(
      mine.post('/password', { oldPassword: 'wrong', newPassword: 'a new and longer one' }),
      { code: 'unauthenticated' },
    )
    await t.rejects(
      mine.post('/password', { oldPassword: broker.adminPassword, newPassword: 'short' }),
      { code: 'invalid_request', message: /newPassword/ },
    )
    t.match(await other.get('/whoami'), { name: 'admin' })
    await mine.post('/password', {
      oldPassword: broker.adminPassword,
      newPassword: 'a new and longer one',
    })
    t.match(await other.raw('GET', '/api/v1/whoami'), { status: 401 })
    t.match(await mine.get('/whoami'), { name: 'admin' })
    t.match(await broker.admin.raw('GET', '/api/v1/whoami'), { status: 401 })
    t.match(
      await broker.anybody.raw('POST', '/api/v1/login', {
        name: 'admin',
        password: broker.adminPassword,
      }),
      { status: 401 },
    )
    await login(broker, 'a new and longer one')
  },
)

t.test('the database holds no token and no password as it is', async (t) => {
  const broker = await started(t)
  const text = JSON.stringify([
    await broker.rows('SELECT * FROM token'),
    await broker.rows('SELECT * FROM account'),
    await broker.rows('SELECT * FROM event'),
    await broker.rows('SELECT * FROM setting'),
  ])
  t.notOk(text.includes(broker.token) || text.includes(broker.adminPassword))
})
