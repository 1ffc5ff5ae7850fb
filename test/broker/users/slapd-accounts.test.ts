import { Attribute, Change, Client } from 'ldapts'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { ApiClient, type RawAnswer } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { BASE, ROOT_DN, ROOT_PASSWORD } from './slapd.js'
import { settings, slapd } from './slapd-school.js'

t.test(
  "through the broker: accounts come with the first login, roles with each; nobody's account is taken over",
  async (t) => {
    const broker = await SimulatedBroker.start({
      config: { directories: [settings({ timeout: 'PT1S' })] },
    })
    t.teardown(async () => {
      await broker.remove()
      await slapd.start()
    })
    const ask = async (name: string, password: string) =>
      await broker.anybody.raw('POST', '/api/v1/login', { name, password })
    const loggedIn = async (name: string): Promise<ApiClient> =>
      new ApiClient(
        broker.url,
        broker.ca,
        ((await ask(name, `secret of ${name}`)).body as { token: string }).token,
      )
    t.match(await (await loggedIn('alice')).get('/whoami'), {
      name: 'alice',
      source: 'corp',
      roles: ['desk', 'round', 'staff'],
      role: 'user',
    })
    await localAccountsComeFirst(t, ask, loggedIn, broker)
    await changeGroup('inner', `uid=alice,ou=people,${BASE}`, `uid=bob,ou=people,${BASE}`)
    t.match(
      await (await loggedIn('alice')).get('/whoami'),
      { roles: [] },
      'who has left a group has lost its roles',
    )
    t.match(await broker.admin.get('/events?action=account.roles&object=account:alice'), {
      events: [{ detail: { before: ['desk', 'round', 'staff'], after: [] } }, {}],
    })
    await broker.admin.patch('/users/alice', { disabled: true })
    t.match(await ask('alice', 'secret of alice'), { status: 401 })
    await broker.admin.patch('/users/alice', { disabled: false })
    t.match(
      await broker.admin.post('/directories/corp/test', {
        user: 'alice',
        password: 'secret of alice',
      }),
      { good: true },
    )
    t.notOk(
      JSON.stringify([
        await broker.rows('SELECT * FROM event'),
        await broker.rows('SELECT * FROM account'),
      ]).includes('secret of alice'),
    )
    await outageLocksNobodyOut(t, ask, broker)
  },
)

async function localAccountsComeFirst(
  t: Test,
  ask: (name: string, password: string) => Promise<RawAnswer>,
  loggedIn: (name: string) => Promise<ApiClient>,
  broker: SimulatedBroker,
): Promise<void> {
  t.match(
    await ask('boss@example.test', 'secret of admin'),
    { status: 401, body: { message: 'The name or the password is wrong.' } },
    "the directory's admin is not ours",
  )
  t.match(await ask('admin', 'secret of admin'), { status: 401 })
  t.match(
    await (await loggedIn('bob')).get('/whoami'),
    { role: 'admin' },
    'a group makes administrators',
  )
  await broker.admin.delete('/users/bob')
  await broker.admin.post('/users', { name: 'bob', password: 'password of ours' })
  t.match(
    await ask('bob', 'secret of bob'),
    { status: 401 },
    "a local account hides the directory's",
  )
  t.match(await ask('bob', 'password of ours'), { status: 200 })
}

async function outageLocksNobodyOut(
  t: Test,
  ask: (name: string, password: string) => Promise<RawAnswer>,
  broker: SimulatedBroker,
): Promise<void> {
  await slapd.stop()
  t.match(await ask('alice', 'secret of alice'), {
    status: 503,
    body: { code: 'directory_unreachable' },
  })
  t.match(await ask('stranger', 'x'), { status: 503 })
  t.match(
    await ask('admin', broker.adminPassword),
    { status: 200 },
    'local accounts need no directory',
  )
  for (let again = 0; again < 6; again++)
    t.match(await ask('alice', 'secret of alice'), { status: 503 })
  const everybody = Array.from({ length: 90 }, (_each, index) => `pupil-${index}`)
  t.match(
    new Set(
      (await Promise.all(everybody.map(async (name) => await ask(name, 'secret')))).map(
        ({ status }) => status,
      ),
    ),
    new Set([503]),
    'a class behind one address',
  )
  for (const name of everybody.slice(0, 20)) t.match(await ask(name, 'secret'), { status: 503 })
  t.same(
    await broker.rows(
      "SELECT * FROM login_failure WHERE (failures > 1 AND subject = 'account:alice') OR " +
        "(failures > 0 AND subject LIKE 'account:pupil%')",
    ),
    [],
    "an outage counts as nobody's failure",
  )
  await slapd.start()
  t.match(await ask('alice', 'secret of alice'), { status: 200 }, 'and locks nobody out')
}

async function changeGroup(name: string, without: string, instead: string): Promise<void> {
  const client = new Client({ url: slapd.ldaps, tlsOptions: { ca: readFileSync(slapd.ca) } })
  await client.bind(ROOT_DN, ROOT_PASSWORD)
  await client.modify(`cn=${name},ou=groups,${BASE}`, [
    new Change({
      operation: 'add',
      modification: new Attribute({ type: 'member', values: [instead] }),
    }),
    new Change({
      operation: 'delete',
      modification: new Attribute({ type: 'member', values: [without] }),
    }),
  ])
  await client.unbind()
}
