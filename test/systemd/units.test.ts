import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test, test } from 'tap'
import { ApiClient } from '../support/api-client.js'
import { until } from '../support/until.js'
import { X_SESSION } from '../../thin-client/x-session.js'
import { ROOT } from '../support/broker-process.js'
import { freePort } from '../support/free-port.js'

t.setTimeout(240_000)
const UNITS = join(ROOT, 'systemd')
const FINGERPRINT = `sha256:${'0a'.repeat(32)}`

function run(program: string, ...args: string[]): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return { status, said: `${stdout}${stderr}` }
}

/** As systemd-analyze reckons, from 0 (safe) to 10; the threshold is in tenths. */
for (const [unit, threshold] of [
  ['berth-broker.service', 13],
  ['berth-thin-client.service', 23],
] as const) {
  test(`exposure of ${unit} is at most ${threshold / 10}`, async (t) => {
    const { status, said } = run(
      'systemd-analyze',
      'security',
      '--offline=true',
      `--threshold=${threshold}`,
      join(UNITS, unit),
    )
    t.equal(status, 0, said.trimEnd().split('\n').at(-1) ?? '')
  })

  test(`${unit} is a valid unit`, async (t) => {
    t.strictSame(run('systemd-analyze', 'verify', '--man=no', join(UNITS, unit)), {
      status: 0,
      said: '',
    })
  })
}

test(
  'the broker runs with the /proc that its unit leaves it, and runs nothing that it could have ' +
    'written',
  async (t) => {
    t.match(readFileSync(join(UNITS, 'berth-broker.service'), 'utf8'), /^ProcSubset=pid$/m)
    const directory = t.testdir()
    const port = await freePort()
    const settings = { 'data-dir': join(directory, 'data'), 'listen-port': port }
    writeFileSync(
      join(directory, 'broker.yaml'),
      JSON.stringify({
        ...settings,
        'listen-address': '127.0.0.1',
        'clients-xml': join(directory, 'clients.xml'),
        'public-names': ['127.0.0.1'],
      }),
    )
    cpSync(join(ROOT, 'clients.xml.example'), join(directory, 'clients.xml'))
    const noExec = /^NoExecPaths=(.*)$/m
      .exec(readFileSync(join(UNITS, 'berth-broker.service'), 'utf8'))?.[1]
      ?.replaceAll('-/', '/')
    t.equal(noExec, '/var /tmp /run /etc')
    const mount = `mount -t proc -o subset=pid,hidepid=invisible proc /proc
    for path in ${noExec ?? ''}; do
      mount --bind "$path" "$path" && mount -o remount,bind,noexec "$path" || exit 1
    done
    exec "$@"`
    const broker = spawn(
      'unshare',
      [
        ...['--mount', '--pid', '--fork', '--mount-proc', '--kill-child', '--'],
        ...['bash', '-c', mount, 'broker', process.execPath, join(ROOT, 'dist/broker/main.js')],
        ...['--config', join(directory, 'broker.yaml')],
      ],
      { stdio: 'ignore', env: { ...process.env, NODE_OPTIONS: '' } },
    )
    t.teardown(() => broker.kill('SIGKILL'))
    const url = `https://127.0.0.1:${port}`
    const ca = (): string => readFileSync(join(directory, 'data', 'ca.pem'), 'utf8')
    await until(
      async () => (await new ApiClient(url, ca()).raw('GET', '/healthz')).status === 200,
      {
        withinMs: 60_000,
        what: 'it answers',
      },
    )
    const password = readFileSync(join(directory, 'data', 'admin-password'), 'utf8').trim()
    const { token } = await new ApiClient(url, ca()).post<{ token: string }>('/login', {
      name: 'admin',
      password,
    })
    t.ok(token.length > 0)
  },
)

test('the users and directories', async (t) => {
  const root = debianFolder(t)
  for (const name of ['berth', 'berth-thin-client']) {
    t.equal(run('systemd-sysusers', `--root=${root}`, join(UNITS, `${name}.sysusers`)).status, 0)
    t.equal(
      run('systemd-tmpfiles', `--root=${root}`, '--create', join(UNITS, `${name}.tmpfiles`)).status,
      0,
    )
  }
  t.match(
    readFileSync(join(root, 'etc/passwd'), 'utf8'),
    /^berth-broker:.*:\/var\/lib\/berth:\/usr\/sbin\/nologin$/m,
  )
  t.match(
    readFileSync(join(root, 'etc/passwd'), 'utf8'),
    /^berth-thin-client:.*:\/var\/lib\/berth-thin-client:/m,
  )
  for (const directory of ['var/lib/berth', 'var/lib/berth-thin-client'])
    t.equal(statSync(join(root, directory)).mode & 0o777, 0o700, directory)
  t.equal(statSync(join(root, 'etc/berth')).mode & 0o777, 0o755)
})

test('the installer puts a thin client into a folder, and does nothing the second time', async (t) => {
  const root = debianFolder(t)
  const bundle = join(root, '../agent.mjs')
  writeFileSync(bundle, '#!/usr/bin/env node\n')
  const install = (...more: string[]) =>
    run(
      join(UNITS, 'install-thin-client'),
      '--root',
      root,
      '--no-packages',
      '--bundle',
      bundle,
      ...more,
    )
  const first = install('--broker', 'berth.example:9443', '--ca', FINGERPRINT)
  t.equal(first.status, 0, first.said)
  t.match(
    readFileSync(join(root, 'etc/berth/thin-client.conf'), 'utf8'),
    `broker=berth.example:9443\nca=${FINGERPRINT}\n`,
  )
  t.equal(
    statSync(join(root, 'usr/lib/berth/thin-client/berth-thin-client.mjs')).mode & 0o777,
    0o755,
  )
  t.ok(existsSync(join(root, 'usr/lib/udev/rules.d/70-berth-thin-client.rules')))
  t.ok(existsSync(join(root, 'etc/pam.d/berth-thin-client')))
  t.strictSame(readdirSync(join(root, 'etc/systemd/system/multi-user.target.wants')), [
    'berth-thin-client.service',
  ])
  t.notOk(
    existsSync(join(root, 'etc/systemd/system/getty.target.wants/getty@tty1.service')),
    'the terminal is free',
  )
  t.strictSame(install(), { status: 0, said: '' })
  t.match(install('--broker', 'other').said, '/etc/berth/thin-client.conf')
  t.match(
    readFileSync(join(root, 'etc/berth/thin-client.conf'), 'utf8'),
    /^#.*\nca=sha256:[0-9a-f]+\nbroker=other\n$/,
    'the other setting stays',
  )
})

test('the installer refuses in one sentence', async (t) => {
  const root = debianFolder(t)
  const cases: Array<[args: string[], status: number, sentence: RegExp]> = [
    [['--broker', 'a b'], 2, /--broker a b is not HOST or HOST:PORT/],
    [['--ca', 'sha256:12'], 2, /64 hex digits/],
    [['--display', 'tv'], 2, /none of auto, x, wayland/],
    [['--colour'], 2, /--colour is not an option/],
    [['--broker'], 2, /needs a value/],
    [['--root', '/nowhere', '--no-packages'], 1, /there is no Debian in \/nowhere/],
    [['--root', root], 2, /--print-packages/],
    [['--root', root, '--no-packages', '--bundle', '/nowhere'], 1, /agent \/nowhere is missing/],
  ]
  for (const [args, status, sentence] of cases) {
    const outcome = run(join(UNITS, 'install-thin-client'), ...args)
    t.equal(outcome.status, status, args.join(' '))
    t.match(outcome.said, sentence)
    t.equal(outcome.said.trimEnd().split('\n').length, 1)
  }
  t.notOk(existsSync(join(root, 'etc/berth')))
})

test('the shell scripts are clean', async (t) => {
  const script = join(t.testdir(), 'x-session')
  writeFileSync(script, X_SESSION)
  const scripts = [
    join(UNITS, 'install-thin-client'),
    join(ROOT, 'thin-client/bundle'),
    join(ROOT, 'test/systemd/boot-image'),
    script,
  ]
  t.strictSame(run('shellcheck', ...scripts), { status: 0, said: '' })
  t.strictSame(run('shfmt', '-i', '4', '-ci', '-d', ...scripts), { status: 0, said: '' })
})

/** A folder with as much of a Debian in it as the tools look at. */
function debianFolder(t: Test): string {
  const root = join(t.testdir(), 'root')
  for (const directory of ['etc/systemd/system/getty.target.wants', 'usr/lib/systemd/system'])
    mkdirSync(join(root, directory), { recursive: true })
  writeFileSync(join(root, 'etc/debian_version'), '12.0\n')
  for (const unit of ['getty@.service', 'multi-user.target', 'getty.target'])
    cpSync(`/lib/systemd/system/${unit}`, join(root, 'usr/lib/systemd/system', unit))
  execFileSync('systemctl', [`--root=${root}`, '--quiet', 'enable', 'getty@tty1.service'])
  return root
}
