import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import {
  HostKeys,
  Hypervisor,
  HypervisorAdd,
  HypervisorAdded,
  ScanRequest,
  ScanResult,
  TrustRequest,
} from '../../broker/api/hypervisors.js'
import { knownHostsLine, parseDestination } from '../../cli/ssh-install.js'
import { hypervisor, KEY, OTHER_KEY } from './samples.js'
import { answer } from './stub-broker.js'
import { type Bench, bench, INSTALL_LINE } from './with-broker.js'

function readyToAdd({ broker }: Bench, fingerprint = KEY): void {
  broker.on(
    'POST /hypervisors/scan',
    answer(
      ScanResult,
      { address: '10.77.1.2', port: 22, keyType: 'ssh-ed25519', fingerprint },
      { request: ScanRequest },
    ),
  )
  broker.on(
    'POST /hypervisors',
    answer(
      HypervisorAdded,
      {
        hypervisor: hypervisor({ state: 'connecting', reason: 'first contact' }),
        installLine: INSTALL_LINE,
      },
      { status: 201, request: HypervisorAdd },
    ),
  )
}

test('add shows the key, asks, and prints the line to paste', async (t) => {
  const it = await bench(t)
  readyToAdd(it)
  const words = ['hypervisor', 'add', 'hv1', '--address', '10.77.1.2']
  t.match(await it.berth(words), {
    code: 2,
    stderr: new RegExp(`--fingerprint ${KEY.replaceAll('+', '\\+')}`),
  })
  t.match(await it.cli.talk(words, [[/y\/N/, '']]), { code: 1, stdout: /nothing was added/ })
  t.strictSame(
    it.broker.asked.map((asked) => asked.path),
    ['/hypervisors/scan', '/hypervisors/scan'],
    'nothing was added',
  )
  t.match(
    await it.cli.talk(words, [[/shows the host key SHA256:a+ \(ssh-ed25519\)[^]*y\/N/, 'y']]),
    { code: 0, stdout: new RegExp(INSTALL_LINE.replace('|', '\\|')) },
  )
  const given = await it.berth([
    ...words,
    '--fingerprint',
    KEY,
    '--virt-type',
    'qemu',
    '--images-dir',
    '/srv/images',
    '--max-starts',
    '3',
    '--port',
    '22',
  ])
  t.match(given, { code: 0, stdout: `${INSTALL_LINE}\n` })
  t.strictSame(it.broker.asked.at(-1)?.body, {
    name: 'hv1',
    address: '10.77.1.2',
    port: 22,
    fingerprint: KEY,
    virtType: 'qemu',
    maxStarts: 3,
    directories: { images: '/srv/images' },
  })
})

test('another key than the given one is refused, with both', async (t) => {
  const it = await bench(t)
  readyToAdd(it, OTHER_KEY)
  t.match(
    await it.berth(['hypervisor', 'add', 'hv1', '--address', '10.77.1.2', '--fingerprint', KEY]),
    { code: 1, stdout: '', stderr: new RegExp(`${OTHER_KEY}, not ${KEY}`) },
  )
  t.equal(it.broker.asked.length, 1)
})

test('--wait tells why it is not up yet', async (t) => {
  const it = await bench(t)
  readyToAdd(it)
  const states = [
    hypervisor({ state: 'connecting', reason: 'the helper is not there' }),
    hypervisor(),
  ]
  it.broker.on('GET /hypervisors/hv1', (asked, response) => {
    answer(Hypervisor, states.length > 1 ? states.shift() : states[0])(asked, response)
  })
  const words = [
    'hypervisor',
    'add',
    'hv1',
    '--address',
    '10.77.1.2',
    '--fingerprint',
    KEY,
    '--wait',
  ]
  t.match(await it.berth([...words, '-o', 'json']), {
    code: 0,
    stdout: /"state": "up"/,
    stderr: /hv1: connecting: the helper is not there/,
  })
  it.broker.on(
    'GET /hypervisors/hv1',
    answer(Hypervisor, hypervisor({ state: 'unreachable', reason: 'no route' })),
  )
  t.match(await it.berth([...words, '--wait-timeout', 'PT0S']), {
    code: 1,
    stderr: /did not come up within 0 s: no route/,
  })
})

test("--install runs the broker's script over ssh, with the confirmed key only", async (t) => {
  const it = await bench(t)
  const key = Buffer.from('a host key of the test').toString('base64')
  const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64')
  const fingerprint = `SHA256:${digest.replace('=', '')}`
  readyToAdd(it, fingerprint)
  it.broker.on('GET /install/hypervisor.sh', (_asked, response) => {
    response.end('echo installed\n')
  })
  fakeSsh(it, key)
  const words = [
    'hypervisor',
    'add',
    'hv1',
    '--address',
    '10.77.1.2',
    '--fingerprint',
    fingerprint,
    '--install',
    'root@10.77.1.2',
  ]
  t.match(await it.berth(words), { code: 0, stdout: 'hv1 is prepared.\n' })
  onlyTheConfirmedKey(t, it, key)
  t.match(await it.berth(words, { env: { SSH_EXIT: '3' } }), {
    code: 1,
    stderr: /ended with exit code 3/,
  })
  it.broker.on(
    'GET /hypervisors/hv1',
    answer(Hypervisor, hypervisor({ hostKeyFingerprint: OTHER_KEY })),
  )
  t.match(await it.berth(['hypervisor', 'install', 'hv1', 'root@10.77.1.2']), {
    code: 1,
    stderr: /does not show the confirmed host key/,
  })
  t.match(await it.berth([...words.slice(0, -1), 'root@-oProxyCommand=x']), {
    code: 2,
    stderr: /not USER@HOST/,
  })
})

function fakeSsh(it: Bench, key: string) {
  it.cli.file(
    'bin/ssh-keyscan',
    `#!/bin/sh\necho '# comment'\necho '10.77.1.2 ssh-ed25519 ${key}'\n`,
    0o755,
  )
  it.cli.file(
    'bin/ssh',
    '#!/bin/sh\nprintf \'%s\\n\' "$@" > "$HOME/ssh-words"\nfor word; do case $word in ' +
      'UserKnownHostsFile=*) cat "${word#*=}" > "$HOME/ssh-known";; esac; done\ncat > ' +
      '"$HOME/ssh-script"\nexit "${SSH_EXIT:-0}"\n',
    0o755,
  )
}

function onlyTheConfirmedKey(t: Test, it: Bench, key: string) {
  const seen = (name: string): string => readFileSync(join(it.cli.folder, name), 'utf8')
  t.equal(seen('ssh-script'), 'echo installed\n')
  t.equal(seen('ssh-known'), `berth-hypervisor ssh-ed25519 ${key}\n`)
  t.match(
    seen('ssh-words'),
    /StrictHostKeyChecking=yes\n[^]*HostKeyAlias=berth-hypervisor\n[^]*-l\nroot\n--\n10.77.1.2\nbash -s\n$/,
  )
  const left = /UserKnownHostsFile=(.*)/.exec(seen('ssh-words'))?.[1] ?? ''
  t.notOk(existsSync(left), 'the temporary file is gone')
}

test('the pure parts of the installation', async (t) => {
  t.equal(knownHostsLine('', KEY), null)
  t.equal(knownHostsLine('h ssh-rsa AAAA\n', KEY), null)
  t.strictSame(parseDestination('root@hv1.example'), { user: 'root', host: 'hv1.example' })
  for (const text of ['hv1', '-x@hv1', 'root@-x', 'root@h;x', 'root@'])
    t.throws(() => parseDestination(text), /not USER@HOST/, text)
})

test('trust shows both keys', async (t) => {
  const it = await bench(t)
  it.broker.on(
    'GET /hypervisors/hv1/host-key',
    answer(HostKeys, { pinned: KEY, offered: OTHER_KEY }),
  )
  it.broker.on(
    'POST /hypervisors/hv1/trust',
    answer(Hypervisor, hypervisor({ hostKeyFingerprint: OTHER_KEY }), { request: TrustRequest }),
  )
  t.match(await it.berth(['hypervisor', 'trust', 'hv1']), {
    code: 2,
    stderr: new RegExp(`pinned: +${KEY}\noffered: +${OTHER_KEY}\n`),
  })
  t.match(await it.berth(['hypervisor', 'trust', 'hv1', '--fingerprint', KEY]), { code: 1 })
  t.match(await it.cli.talk(['hypervisor', 'trust', 'hv1'], [[/y\/N/, 'y']]), { code: 0 })
  t.strictSame(
    it.broker.asked.filter((asked) => asked.method === 'POST').map((asked) => asked.body),
    [{ fingerprint: OTHER_KEY }],
  )
  it.broker.on(
    'GET /hypervisors/hv1/host-key',
    answer(HostKeys, { pinned: KEY, offered: null, reason: 'it is down' }),
  )
  t.match(await it.berth(['hypervisor', 'trust', 'hv1']), { code: 1, stderr: /it is down/ })
})
