import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { Directories } from '../../../broker/users/directories.js'
import { fillFilter } from '../../../broker/users/directory-entries.js'
import { personOf } from './directory-config.js'
import { BASE, ROOT_PASSWORD } from './slapd.js'
import { log, settings, slapd } from './slapd-school.js'

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
