import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { LoginRequest, LoginResult, PasswordChange, WhoAmI } from '../../broker/api/users.js'
import { makeAuthority } from './certificates.js'
import { NOW } from './samples.js'
import { answer, refuse, startStubBroker } from './stub-broker.js'
import { TOKEN, bench } from './with-broker.js'
import { Type } from '@sinclair/typebox'

const RESULT = { token: 'fresh-token', expiresAt: NOW, role: 'admin' }
const ME = {
  name: 'admin',
  role: 'admin',
  roles: ['admin'],
  source: 'local',
  token: 'login-1',
  scopes: null,
  expiresAt: null,
}

test('login with a pin keeps broker, pin and token for the owner only', async (t) => {
  const { cli, broker, authority } = await bench(t)
  rmSync(join(cli.folder, 'config'), { recursive: true })
  broker.on('POST /login', answer(LoginResult, RESULT, { request: LoginRequest }))
  const file = cli.file('password', 'correct horse\nsecond line\n')
  const ended = await cli.run([
    'login',
    '--broker',
    broker.address,
    '--ca',
    authority.pin.toUpperCase().replace('SHA256', 'sha256'),
    '--user',
    'anna',
    '--password-file',
    file,
  ])
  t.match(ended, { code: 0, stdout: '', stderr: /Logged in to 127.0.0.1:\d+ as anna \(admin\)/ })
  t.strictSame(
    broker.asked.map((asked) => asked.body),
    [{ name: 'anna', password: 'correct horse' }],
  )
  const path = join(cli.folder, 'config', 'berth', 'cli.json')
  t.strictSame(JSON.parse(readFileSync(path, 'utf8')), {
    broker: broker.address,
    ca: authority.pin,
    token: 'fresh-token',
  })
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(statSync(join(cli.folder, 'config', 'berth')).mode & 0o777, 0o700)
  broker.on('GET /whoami', answer(WhoAmI, ME))
  t.match(await cli.run(['whoami']), { code: 0, stdout: /name: +admin\n/ })
  t.equal(broker.asked.at(-1)?.token, 'Bearer fresh-token')
})

test('the password comes on standard input, the pin from a PEM file', async (t) => {
  const { cli, broker, authority } = await bench(t)
  broker.on('POST /login', answer(LoginResult, RESULT, { request: LoginRequest }))
  t.match(
    await cli.run(
      [
        'login',
        '--broker',
        broker.address,
        '--ca',
        cli.file('ca.pem', authority.pem),
        '--password-file',
        '-',
      ],
      { input: 'typed\n' },
    ),
    { code: 0 },
  )
  t.strictSame(broker.asked[0]?.body, { name: 'admin', password: 'typed' })
})

test('without a pin the fingerprint is shown and asked about', async (t) => {
  const { cli, broker, authority } = await bench(t)
  const path = join(cli.folder, 'config', 'berth', 'cli.json')
  broker.on('POST /login', answer(LoginResult, RESULT, { request: LoginRequest }))
  rmSync(path)
  const words = ['login', '--broker', broker.address]
  t.match(await cli.run([...words, '--password-file', '-'], { input: 'secret\n' }), {
    code: 2,
    stderr: new RegExp(`${authority.pin}[^]*no terminal to ask on[^]*--ca ${authority.pin}`),
  })
  t.match(await cli.talk(words, [[/y\/N/, 'n']]), { code: 1, stdout: /nothing was sent/ })
  t.equal(broker.received(), 0, 'nothing was sent')
  t.notOk(existsSync(path))
  const told = await cli.talk(words, [
    [/y\/N/, 'yes'],
    [/Password of admin/, 'hidden word'],
  ])
  t.match(told, { code: 0, stdout: /Logged in/ })
  t.notMatch(told.stdout, /hidden word/, 'the password is not echoed')
  t.strictSame(broker.asked.at(-1)?.body, { name: 'admin', password: 'hidden word' })
  rmSync(path)
  t.match(await cli.run([...words, '--yes', '--password-file', '-'], { input: 'secret\n' }), {
    code: 0,
  })
})

test('a broker with another authority gets nothing', async (t) => {
  const { cli, broker, berth } = await bench(t)
  const stranger = await makeAuthority('Berth')
  t.match(await berth(['machine', 'list'], { env: { BERTH_CA: stranger.pin } }), {
    code: 6,
    stdout: '',
    stderr: new RegExp(`pinned is ${stranger.pin}`),
  })
  t.match(
    await cli.run(
      ['login', '--broker', broker.address, '--accept-ca', stranger.pin, '--password-file', '-'],
      { input: 'secret\n' },
    ),
    { code: 6, stderr: /nothing was sent/ },
  )
  t.equal(broker.received(), 0)
})

test('the authority must have signed the certificate, and it must name the host', async (t) => {
  const { berth, authority } = await bench(t)
  const stranger = await makeAuthority('Stranger')
  for (const [certificate, reason] of [
    [await authority.issue(['127.0.0.1'], stranger.keys), /not signed by the authority/],
    [await authority.issue(['broker.example']), /does not match|not in the cert/],
  ] as const) {
    const other = await startStubBroker(certificate)
    t.teardown(other.close)
    t.match(
      await berth(['machine', 'list'], {
        env: { BERTH_BROKER: other.address, BERTH_CA: authority.pin, BERTH_TOKEN: 'x' },
      }),
      { code: 6, stderr: reason },
    )
    t.equal(other.received(), 0)
  }
})

test('the token of one broker is never sent to another', async (t) => {
  const { broker, authority, berth } = await bench(t)
  const other = await startStubBroker(await authority.issue(['127.0.0.1']))
  t.teardown(other.close)
  t.match(await berth(['whoami'], { env: { BERTH_BROKER: other.address } }), {
    code: 3,
    stderr: /authority of .* is not known/,
  })
  other.on('GET /whoami', refuse('unauthenticated', 'Log in.'))
  t.match(
    await berth(['whoami'], { env: { BERTH_BROKER: other.address, BERTH_CA: authority.pin } }),
    { code: 3, stderr: 'berth: Log in.\n' },
  )
  t.strictSame(
    other.asked.map((asked) => asked.token),
    [undefined],
  )
  t.equal(broker.received(), 0)
})

test('tokens from the environment', async (t) => {
  const { cli, broker, berth } = await bench(t)
  broker.on('GET /whoami', answer(WhoAmI, ME))
  t.match(
    await berth(['whoami'], { env: { BERTH_TOKEN_FILE: cli.file('token', 'from-file\n') } }),
    { code: 0, stderr: '' },
  )
  t.match(
    await berth(['whoami'], { env: { BERTH_TOKEN_FILE: cli.file('open', 'from-file\n', 0o644) } }),
    { code: 0, stderr: /can be read by others/ },
  )
  t.match(await berth(['whoami'], { env: { BERTH_TOKEN: 'from-environment' } }), { code: 0 })
  t.match(await berth(['whoami'], { env: { BERTH_TOKEN_FILE: '/nowhere' } }), {
    code: 3,
    stderr: /BERTH_TOKEN_FILE/,
  })
  t.strictSame(
    broker.asked.map((asked) => asked.token),
    ['Bearer from-file', 'Bearer from-file', 'Bearer from-environment'],
  )
})

test('logout revokes the token and keeps the pin', async (t) => {
  const { cli, broker, berth, authority } = await bench(t)
  broker.on('GET /whoami', answer(WhoAmI, ME))
  broker.on('DELETE /tokens/login-1', answer(Type.Undefined(), undefined, { status: 204 }))
  t.match(await berth(['logout']), { code: 0, stderr: /Logged out/ })
  t.equal(broker.asked.at(-1)?.token, `Bearer ${TOKEN}`)
  t.strictSame(JSON.parse(readFileSync(join(cli.folder, 'config', 'berth', 'cli.json'), 'utf8')), {
    broker: broker.address,
    ca: authority.pin,
  })
  t.match(await berth(['logout']), { code: 0, stderr: /nothing to do/ })
})

test('a damaged configuration, no configuration, and a broker that is away', async (t) => {
  const { cli, broker, berth, authority } = await bench(t)
  t.match(
    await berth(['whoami'], { env: { BERTH_BROKER: '127.0.0.1:1', BERTH_CA: authority.pin } }),
    { code: 4, stderr: /cannot be reached/ },
  )
  cli.file('config/berth/cli.json', '{"broker": 3}')
  t.match(await berth(['whoami']), { code: 1, stderr: /is damaged; remove it/ })
  rmSync(join(cli.folder, 'config'), { recursive: true })
  t.match(await berth(['whoami']), { code: 3, stderr: /Not logged in/ })
  t.match(await berth(['whoami'], { env: { BERTH_BROKER: 'a b', BERTH_CA: authority.pin } }), {
    code: 2,
    stderr: /not a broker's address/,
  })
  t.match(
    await berth(['whoami'], { env: { BERTH_BROKER: broker.address, BERTH_CA: 'sha256:12' } }),
    { code: 2, stderr: /not a fingerprint/ },
  )
})

test('the password is changed', async (t) => {
  const { cli, broker, berth } = await bench(t)
  broker.on(
    'POST /password',
    answer(Type.Undefined(), undefined, { status: 204, request: PasswordChange }),
  )
  const old = cli.file('old', 'the old one\n')
  t.match(
    await berth([
      'password',
      '--old-password-file',
      old,
      '--new-password-file',
      cli.file('short', 'short\n'),
    ]),
    { code: 2, stderr: /at least 12/ },
  )
  t.match(
    await berth(['password', '--old-password-file', old, '--new-password-file', '-'], {
      input: 'a longer new one\n',
    }),
    { code: 0, stderr: /is changed/ },
  )
  t.strictSame(
    broker.asked.map((asked) => asked.body),
    [{ oldPassword: 'the old one', newPassword: 'a longer new one' }],
  )
})
