import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { Attribute, Change, Client } from 'ldapts'
import { pino } from 'pino'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { Directories } from '../../../broker/users/directories.js'
import { fillFilter } from '../../../broker/users/directory-entries.js'
import { directorySettings, personOf } from './directory-config.js'
import { ApiClient } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { BASE, ROOT_DN, ROOT_PASSWORD, startSlapd } from './slapd.js'

const person = (uid: string, more: string): string =>
  `dn: uid=${uid},ou=people,${BASE}\nobjectClass: inetOrgPerson\nuid: ${uid}\nsn: ` +
  `x\ncn: ${uid}\nuserPassword: secret of ${uid}\n${more}\n`
const group = (cn: string, ...members: string[]): string =>
  `dn: cn=${cn},ou=groups,${BASE}\nobjectClass: ` +
  `groupOfNames\ncn: ${cn}\n${members.map((member) => `member: ${member},${BASE}`).join('\n')}\n`
const LDIF = [
  `dn: ${BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n`,
  ...['people', 'groups'].map(
    (ou) => `dn: ou=${ou},${BASE}\nobjectClass: organizationalUnit\nou: ${ou}\n`,
  ),
  person('alice', `displayName: Alice of Example\nmail: alice@example.test\n`),
  person('bob', ''),
  person('admin', 'mail: boss@example.test\n'),
  person('twin1', 'mail: twins@example.test\n'),
  person('twin2', 'mail: twins@example.test\n'),
  group('inner', 'uid=alice,ou=people'),
  group('outer', 'cn=inner,ou=groups', 'cn=circle,ou=groups'),
  group('circle', 'cn=outer,ou=groups'),
  group('others', 'uid=bob,ou=people'),
  `dn: cn=posix,ou=groups,${BASE}\nobjectClass: posixGroup\ncn: posix\ngidNumber: ` +
    `5000\nmemberUid: bob\nmemberUid: twin1\n`,
].join('\n')

const log = pino({ level: 'silent' })
const slapd = await startSlapd(LDIF)
t.teardown(async () => {
  await slapd.remove()
})

function settings(more: Parameters<typeof directorySettings>[0] | object = {}) {
  return directorySettings({
    urls: [slapd.ldaps],
    base: BASE,
    'ca-file': slapd.ca,
    'bind-dn': ROOT_DN,
    'bind-password-file': slapd.passwordFile,
    'user-filter': '(|(uid={user})(mail={user}))',
    timeout: 'PT2S',
    roles: {
      inner: ['staff'],
      [`cn=outer,ou=groups,${BASE}`]: ['desk'],
      circle: ['round'],
      others: ['admin'],
    },
    ...more,
  })
}
const login = async (user: string, password: string, more: object = {}) =>
  personOf(await new Directories([settings(more)], log).login(user, password, null))

t.test('a filter holds nothing but what was typed', async (t) => {
  t.equal(fillFilter('(uid={user})', { user: 'a*)(uid=*' }), '(uid=a\\2a\\29\\28uid=\\2a)')
  t.equal(fillFilter('(uid={user})', { user: '$&\\' }), '(uid=$&\\5c)')
})

t.test('LDAPS and StartTLS, with nested groups and roles by name and by DN', async (t) => {
  const alice = {
    source: 'corp',
    name: 'alice',
    displayName: 'Alice of Example',
    roles: ['desk', 'round', 'staff'],
  }
  t.match(await login('alice', 'secret of alice'), alice)
  t.match(await login('ALICE@example.test', 'secret of alice'), alice, 'by mail')
  t.match(await login('alice', 'secret of alice', { urls: [slapd.ldap], 'start-tls': true }), alice)
  t.match(await login('alice', 'secret of alice', { 'nested-groups': 'none' }), {
    roles: ['staff'],
  })
})

t.test('groups that name their members by uid (RFC 2307)', async (t) => {
  const roles = { posix: ['unix'], others: ['admin'] }
  t.match(await login('bob', 'secret of bob', { roles }), { roles: ['admin', 'unix'] })
  t.match(
    await login('bob', 'secret of bob', {
      roles,
      'group-filter': '(&(objectClass=posixGroup)(memberUid={user}))',
    }),
    { roles: ['unix'] },
  )
  t.match(await login('alice', 'secret of alice', { roles }), { roles: [] })
})

t.test('wrong, empty and clever input gets nobody in', async (t) => {
  for (const [user, password] of [
    ['alice', 'wrong'],
    ['alice', ''],
    ['nobody', 'secret of alice'],
    ['*', 'secret of alice'],
    ['al*', 'secret of alice'],
    ['alice)(uid=*', 'x'],
    ['*)(|(uid=alice', 'secret of alice'],
    ['\u0000', 'x'],
    ['twins@example.test', 'secret of twin1'],
    [`uid=alice,ou=people,${BASE}`, 'secret of alice'],
  ] as const) {
    t.equal(await login(user, password), null, JSON.stringify([user, password]))
  }
})

t.test('the next address is asked when one refuses, is silent or is another one', async (t) => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => {
    silent.close()
  })
  const urls = [
    'ldaps://127.0.0.1:1',
    `ldaps://127.0.0.1:${(silent.address() as AddressInfo).port}`,
    'ldaps://nowhere.invalid',
    slapd.ldap,
    slapd.ldaps,
  ]
  t.match(
    await login('alice', 'secret of alice', {
      urls: [...urls.slice(0, 3), slapd.ldaps],
      timeout: 'PT0.3S',
    }),
    { name: 'alice' },
  )
  await t.rejects(
    login('alice', 'secret of alice', { urls: urls.slice(0, 3), timeout: 'PT0.3S' }),
    { code: 'directory_unreachable' },
  )
  await t.rejects(
    login('alice', 'secret of alice', { 'ca-file': '' }),
    { code: 'directory_unreachable' },
    'a certificate that nobody vouches for',
  )
  for (const url of [slapd.ldap, slapd.ldaps])
    await t.rejects(
      login('alice', 'secret of alice', {
        urls: [url.replace('127.0.0.1', 'localhost')],
        'start-tls': url === slapd.ldap,
      }),
      { code: 'directory_unreachable' },
      'a certificate of another name',
    )
  await t.rejects(
    login('alice', 'secret of alice', {
      urls: [urls[1]?.replace('ldaps', 'ldap')],
      'start-tls': true,
      timeout: 'PT0.3S',
    }),
    { code: 'directory_unreachable' },
    'one that never begins to encrypt',
  )
  await t.rejects(login('alice', 'secret of alice', { 'bind-dn': `cn=other,${BASE}` }), {
    code: 'directory_unreachable',
    message: /refuses the name or password in bind-dn/,
  })
})

t.test(
  'a server that ends the connection after StartTLS hears no password in the clear',
  async (t) => {
    const heard: Buffer[] = []
    // It agrees to encrypt (an extended response that says success), and then hangs up; whoever
    // comes back in the clear is heard.
    const thief = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', (data) => {
        heard.push(data)
        socket.end(
          Buffer.from([
            0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00,
          ]),
        )
      })
    }).listen(0, '127.0.0.1')
    await once(thief, 'listening')
    t.teardown(() => {
      thief.close()
    })
    await t.rejects(
      login('alice', 'secret of alice', {
        urls: [`ldap://127.0.0.1:${(thief.address() as AddressInfo).port}`],
        'start-tls': true,
      }),
      { code: 'directory_unreachable' },
    )
    t.equal(heard.length, 1)
    t.notOk(Buffer.concat(heard).includes(ROOT_PASSWORD))
  },
)

t.test('the test of a directory says what would happen', async (t) => {
  const directories = new Directories([settings()], log)
  t.match(await directories.test('corp', 'alice', undefined), {
    good: true,
    name: 'alice',
    dn: `uid=alice,ou=people,${BASE}`,
    groups: ['inner', 'outer', 'circle'],
    roles: ['desk', 'round', 'staff'],
    steps: [
      { step: 'bind' },
      { step: 'search' },
      { step: 'password', said: /not given/ },
      { step: 'groups', said: /3 groups/ },
      { step: 'roles' },
    ],
  })
  t.match(await directories.test('corp', 'alice', 'wrong'), {
    good: false,
    steps: [{}, {}, { said: 'It is wrong.' }],
  })
  t.match(await directories.test('corp', 'nobody', 'x'), {
    good: false,
    name: null,
    steps: [{ step: 'bind' }, { step: 'search', said: /finds nobody/ }],
  })
  t.match(await directories.test('corp', 'twins@example.test', 'x'), {
    steps: [{}, { said: /more than one/ }],
  })
  t.match(
    await new Directories([settings({ urls: ['ldaps://127.0.0.1:1'] })], log).test(
      'corp',
      'alice',
      'x',
    ),
    { good: false, steps: [{ step: 'connect', said: /cannot be asked/ }, { step: 'end' }] },
  )
  await t.rejects(directories.test('other', 'alice', 'x'), { code: 'not_found' })
})

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
  },
)

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
