import { join } from 'node:path'
import t from 'tap'
import { SimulatedBroker } from '../support/simulated-broker.js'
import { CliUnderTest, type Ended, type RunOptions } from './run-cli.js'

t.setTimeout(240_000)

const [cli, broker] = [await CliUnderTest.compile(), await SimulatedBroker.start()]
t.teardown(async () => {
  await broker.remove()
  cli.remove()
})
await broker.addHypervisors()
await broker.admin.done('/machines', {
  name: 'pc-1',
  type: 'simple',
  hypervisors: ['hv1'],
  network: 'none',
})
const env = {
  BERTH_BROKER: `127.0.0.1:${broker.broker.port}`,
  BERTH_CA: join(broker.directory, 'data', 'ca.pem'),
}
const berth = async (words: readonly string[], options: RunOptions = {}): Promise<Ended> =>
  await cli.run(words, { ...options, env: { ...env, BERTH_TOKEN: broker.token, ...options.env } })

t.test('people and roles', async (t) => {
  t.match(
    await berth(
      [
        'user',
        'create',
        'alice@example.org',
        '--role',
        'staff',
        '--display-name',
        'Alice',
        '--password-file',
        '-',
      ],
      { input: 'a long password\n' },
    ),
    { code: 0, stdout: /name: +alice@example.org\n[^]*roles: +staff \(local\)/ },
  )
  t.match(await berth(['user', 'list']), {
    code: 0,
    stdout: /\nalice@example.org +user +staff +local +ok +never\n/,
  })
  t.match(await berth(['role', 'add', 'alice@example.org', 'desk', 'observer']), {
    code: 0,
    stdout: /role: +observer/,
  })
  t.match(await berth(['role', 'remove', 'alice@example.org', 'observer']), {
    code: 0,
    stdout: /roles: +desk \(local\), staff \(local\)/,
  })
})

t.test('grants of a role', async (t) => {
  t.match(await berth(['grant', 'add', 'machine:pc-1', 'start', '--role', 'staff']), {
    code: 0,
    stdout: /machine:pc-1 +role:staff +start\n/,
  })
  t.match(await berth(['grant', 'add', 'machine:pc-1', 'stop', '--role', 'staff']), {
    code: 0,
    stdout: /start,stop/,
  })
  t.match(await berth(['grant', 'list', '--on', 'machine:pc-1']), {
    code: 0,
    stdout: /machine:pc-1 +role:staff +start,stop\n/,
  })
  t.match(await berth(['grant', 'remove', 'machine:pc-1', 'stop', '--role', 'staff']), {
    code: 0,
    stdout: /role:staff +start\n/,
  })
  t.match(await berth(['grant', 'add', 'pc-1', 'start', '--role', 'staff']), {
    code: 2,
    stderr: /pool:NAME or machine:NAME/,
  })
  t.match(await berth(['grant', 'add', 'machine:pc-1', 'start']), {
    code: 2,
    stderr: /--user NAME or --role NAME/,
  })
  t.match(await berth(['user', 'permissions', 'alice@example.org']), {
    code: 0,
    stdout: /machine:pc-1 +start +A grant to the role staff on this machine: start\./,
  })
  t.match(await berth(['role', 'list']), { code: 0, stdout: /\nstaff +1 +1/ })
})

t.test('a person does what they may, until their account is disabled', async (t) => {
  const login = await berth(
    [
      'login',
      '--broker',
      env.BERTH_BROKER,
      '--ca',
      env.BERTH_CA,
      '--user',
      'alice@example.org',
      '--password-file',
      '-',
    ],
    { input: 'a long password\n' },
  )
  t.match(login, { code: 0, stderr: /as alice@example.org \(user\)/ })
  const alice = async (words: readonly string[]): Promise<Ended> => await cli.run(words)
  t.match(await alice(['whoami']), { code: 0, stdout: /roles: +desk, staff\n[^]*from: +local/ })
  t.match(await alice(['whoami', '--permissions']), { code: 0, stdout: /machine:pc-1 +start/ })
  t.match(await alice(['machine', 'list']), { code: 0, stdout: /pc-1/ })
  t.match(await alice(['machine', 'start', 'pc-1']), { code: 0 })
  t.match(await alice(['machine', 'poweroff', 'pc-1']), {
    code: 3,
    stderr: /needs the permission "stop"/,
  })
  t.match(await berth(['grant', 'remove', 'machine:pc-1', '--role', 'staff']), { code: 0 })
  t.match(await alice(['machine', 'show', 'pc-1']), { stderr: /There is no machine pc-1/ })
  t.match(await berth(['user', 'change', 'alice@example.org', '--disable']), {
    code: 0,
    stdout: /disabled: +yes/,
  })
  t.match(await alice(['whoami']), { code: 3 })
})

t.test('accounts are changed and deleted', async (t) => {
  t.match(await berth(['user', 'change', 'alice@example.org']), { code: 2 })
  for (const words of [
    ['password', 'alice@example.org', '--password-file', '-'],
    ['unlock', 'alice@example.org'],
    ['log-out', 'alice@example.org'],
    ['delete', 'alice@example.org'],
  ])
    t.match(
      await berth(['user', ...words], { input: 'another password\n' }),
      { code: 0 },
      words.join(' '),
    )
  t.match(await berth(['user', 'delete', 'admin']), { code: 1, stderr: /last administrator/ })
})

t.test('the audit log is shown, exported and verified', async (t) => {
  t.match(await berth(['audit', 'tail', '--action', 'account.*', '--limit', '1']), {
    code: 0,
    stdout: /admin +127\.0\.0\.1 +account\.remove +account:alice@example\.org +ok\n/,
  })
  const exported = await berth(['audit', 'export', '--object', 'account:alice@example.org'])
  t.match(exported, { code: 0 })
  const hashes = exported.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { hash: string }).hash)
  t.match(await berth(['audit', 'verify', '--head', hashes.at(-1) ?? '']), {
    code: 0,
    stdout: /events are as they were written/,
  })
  t.match(await berth(['audit', 'verify', '--head', 'f'.repeat(64)]), {
    code: 1,
    stdout: /cut off/,
  })
})

t.test('directories and providers that are not there', async (t) => {
  t.match(await berth(['directory', 'list']), { code: 0 })
  t.match(await berth(['directory', 'test', 'alice']), {
    code: 2,
    stderr: /have no directory|has no directory/,
  })
  t.match(await berth(['provider', 'list']), { code: 0 })
  t.match(await berth(['provider', 'test']), { code: 2, stderr: /have no login provider/ })
  t.match(await berth(['provider', 'test', 'corp']), { code: 1, stderr: /no login provider corp/ })
})
