import t, { type Test } from 'tap'
import { waitAfter } from '../../../broker/users/login-limits.js'
import { nameKey, personName } from '../../../broker/users/names.js'
import { ApiClient } from '../../support/api-client.js'
import { addPerson } from '../../support/people.js'
import { until } from '../../support/until.js'
import { logIn, PASSWORD, started, type User } from './logged-in.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'

t.test('names of people', async (t) => {
  t.equal(personName(' Zoe\u0308 '), 'Zoë')
  t.equal(nameKey('ZOE\u0308'), nameKey('zoë'))
  t.equal([...personName('😀'.repeat(200))].length, 200)
  for (const bad of [
    '',
    ' ',
    'a\nb',
    'a\u0000',
    'a\u202eb',
    'a\u200bb',
    'x'.repeat(201),
    'berth',
    'Berth',
    'thin-client:52:54:00:00:00:01',
    '\ud800',
  ])
    t.throws(() => personName(bad), { code: 'invalid_request' }, JSON.stringify(bad))
})

t.test('waiting after failures doubles up to a bound', async (t) => {
  t.same(
    [0, 4, 5, 6, 7, 14, 100, 1e6].map((failures) => waitAfter(failures, 5)),
    [0, 0, 1_000, 2_000, 4_000, 512_000, 900_000, 900_000],
  )
})

t.test('names with @, unicode and 200 characters: create, log in, grant, delete', async (t) => {
  const broker = await started(t)
  for (const name of [
    'alice@example.org',
    'Zoë Müller',
    '山田太郎',
    'x'.repeat(200),
    '😀'.repeat(200),
    "o'hara; DROP TABLE account",
    'a/b?c#d%e',
  ]) {
    t.match(
      await broker.admin.post('/users', { name, password: PASSWORD, roles: ['staff', 'user'] }),
      { name, source: 'local', role: 'user', roles: [{ role: 'staff' }] },
    )
    const client = await logIn(broker, name.toUpperCase().toLowerCase())
    t.match(await client.get('/whoami'), { name, roles: ['staff'], role: 'user' })
    t.match(await broker.admin.get(`/users/${encodeURIComponent(name)}`), { name })
    await broker.admin.delete(`/users/${encodeURIComponent(name)}`)
    t.match(
      await client.raw('GET', '/api/v1/whoami'),
      { status: 401 },
      'the login ended with the account',
    )
  }
  t.match(await broker.admin.raw('POST', '/api/v1/users', { name: 'ADMIN', password: PASSWORD }), {
    status: 409,
    body: { code: 'name_taken' },
  })
  t.match(await broker.admin.raw('POST', '/api/v1/users', { name: 'bob', password: 'short' }), {
    status: 400,
  })
  t.match(
    await broker.admin.raw('POST', '/api/v1/users', { name: 'b\u202eob', password: PASSWORD }),
    { status: 400 },
  )
})

t.test('the last administrator stays one', async (t) => {
  const broker = await started(t)
  const refused = { status: 409, body: { code: 'last_administrator' } }
  t.match(await broker.admin.raw('DELETE', '/api/v1/users/admin'), refused)
  t.match(await broker.admin.raw('PATCH', '/api/v1/users/admin', { roles: ['observer'] }), refused)
  t.match(await broker.admin.raw('PATCH', '/api/v1/users/admin', { disabled: true }), refused)
  await addPerson(broker, 'of the directory', { roles: ['admin'] })
  t.match(
    await broker.admin.raw('DELETE', '/api/v1/users/admin'),
    refused,
    'an administrator without a password here is not enough',
  )
  await broker.admin.post('/users', { name: 'second', password: PASSWORD, roles: ['admin'] })
  const second = await logIn(broker, 'second')
  await second.delete('/users/admin')
  t.match(await second.raw('DELETE', '/api/v1/users/second'), refused)
})

t.test(
  'disabling, a new password and log-out end logins and tokens of programs at once',
  async (t) => {
    const broker = await started(t)
    await broker.admin.post('/users', { name: 'carol', password: PASSWORD })
    const programOf = async () => {
      const { token } = await (
        await logIn(broker, 'carol')
      ).post<{ token: string }>('/tokens', { name: `robot ${tokens++}` })
      return new ApiClient(broker.url, broker.ca, token)
    }
    let tokens = 0
    const ends = async (act: () => Promise<unknown>): Promise<void> => {
      const login = await logIn(broker, 'carol')
      const program = await programOf()
      await login.get('/whoami')
      await program.get('/whoami')
      await act()
      t.match(await login.raw('GET', '/api/v1/whoami'), { status: 401 })
      t.match(await program.raw('GET', '/api/v1/whoami'), { status: 401 })
    }
    await ends(async () => await broker.admin.post('/users/carol/log-out'))
    await ends(
      async () => await broker.admin.post('/users/carol/password', { newPassword: PASSWORD }),
    )
    await ends(
      async () =>
        await (
          await logIn(broker, 'carol')
        ).post('/password', { oldPassword: PASSWORD, newPassword: PASSWORD }),
    )
    await ends(async () => await broker.admin.patch('/users/carol', { disabled: true }))
    t.match(
      await broker.anybody.raw('POST', '/api/v1/login', { name: 'carol', password: PASSWORD }),
      { status: 401, body: { message: 'The name or the password is wrong.' } },
    )
    await broker.admin.patch('/users/carol', { disabled: false })
  },
)

t.test(
  'who has failed too often waits, also for a name that does not exist; an administrator unlocks',
  async (t) => {
    const broker = await started(t)
    await broker.admin.post('/users', { name: 'dave', password: PASSWORD })
    const words: string[] = []
    for (const name of ['dave', 'nobody']) {
      const answers = await Promise.all(
        Array.from(
          { length: 9 },
          async () =>
            await broker.anybody.raw('POST', '/api/v1/login', { name, password: 'wrong' }),
        ),
      )
      t.same(
        answers.map(({ status }) => status).sort(),
        [401, 401, 401, 401, 401, 429, 429, 429, 429],
        'many at once are no way around',
      )
      words.push(
        ...answers.map(({ text }) =>
          text
            .replace(/"requestId":"[^"]*"/, '')
            .replace(/\d+ seconds/, 'N seconds')
            .replace(/"seconds":\d+/, '"seconds":N'),
        ),
      )
    }
    t.equal(new Set(words).size, 2, 'the same words for both')
    t.match(
      await broker.anybody.raw('POST', '/api/v1/login', { name: 'DAVE', password: PASSWORD }),
      { status: 429 },
    )
    t.type((await broker.admin.get<User>('/users/dave')).blockedUntil, 'string')
    await broker.stop()
    await broker.start()
    t.equal(
      (await broker.rows("SELECT * FROM login_failure WHERE subject = 'account:dave'")).length,
      1,
      'a restart forgets nothing',
    )
    await unlockedAndForgotten(t, broker)
  },
)

async function unlockedAndForgotten(t: Test, broker: SimulatedBroker): Promise<void> {
  await broker.admin.post('/users/dave/unlock')
  await broker.run("DELETE FROM login_failure WHERE subject LIKE 'address:%'")
  await logIn(broker, 'dave')
  t.same(
    await broker.rows("SELECT * FROM login_failure WHERE subject = 'account:dave'"),
    [],
    'a success forgets the failures',
  )
  await broker.run(
    "UPDATE login_failure SET failures = 5, blocked_until = ? WHERE subject = 'account:nobody'",
    Date.now() + 300,
  )
  await until(
    async () =>
      (await broker.anybody.raw('POST', '/api/v1/login', { name: 'nobody', password: 'wrong' }))
        .status === 401,
    { withinMs: 3_000, what: 'the wait ends by itself' },
  )
}

t.test('a class that logs in at the same moment from one address can log in', async (t) => {
  const broker = await started(t)
  const people = Array.from({ length: 40 }, (_, index) => `pupil-${index}`)
  await broker.admin.post('/users', { name: 'pupil', password: PASSWORD })
  // One hash is made, and given to all: making it is what takes long.
  for (const name of people)
    await broker.run(
      'INSERT INTO account (name, name_key, source, password_hash, created_at) SELECT ?, ?, ' +
        'source, password_hash, created_at FROM account WHERE name = ?',
      name,
      name,
      'pupil',
    )
  const answers = await Promise.all(
    people.map(
      async (name) =>
        await broker.anybody.raw('POST', '/api/v1/login', { name, password: PASSWORD }),
    ),
  )
  t.same([...new Set(answers.map(({ status }) => status))], [200])
})

t.test('a refusal takes as long whether the account exists or not', async (t) => {
  const broker = await started(t)
  await broker.admin.post('/users', { name: 'erin', password: PASSWORD })
  const median = async (name: string): Promise<number> => {
    const times: number[] = []
    for (let round = 0; round < 5; round += 1) {
      await broker.run('DELETE FROM login_failure')
      const begun = performance.now()
      await broker.anybody.raw('POST', '/api/v1/login', { name, password: 'wrong' })
      times.push(performance.now() - begun)
    }
    return times.sort((a, b) => a - b)[2] ?? 0
  }
  const [known, unknown] = [await median('erin'), await median('nobody')]
  t.ok(Math.abs(known - unknown) < 200, `${Math.round(known)} ms and ${Math.round(unknown)} ms`)
})
