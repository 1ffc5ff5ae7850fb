import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Type } from '@sinclair/typebox'
import { test } from 'tap'
import {
  HostKeys,
  Hypervisor,
  HypervisorAdd,
  HypervisorAdded,
  HypervisorPatch,
  ScanRequest,
  ScanResult,
  TrustRequest,
} from '../../broker/api/hypervisors.js'
import { CheckStarted, type Finding } from '../../broker/api/checks.js'
import { DrainRequest, DrainState } from '../../broker/api/drains.js'
import { knownHostsLine, parseDestination } from '../../cli/ssh-install.js'
import { KEY, NOW, OTHER_KEY, hypervisor, job, target } from './samples.js'
import { answer, refuse, stream } from './stub-broker.js'
import { type Bench, bench } from './with-broker.js'

const INSTALL_LINE = 'curl -fsS https://broker/install/hypervisor.sh | bash'

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
  const seen = (name: string): string => readFileSync(join(it.cli.folder, name), 'utf8')
  t.equal(seen('ssh-script'), 'echo installed\n')
  t.equal(seen('ssh-known'), `berth-hypervisor ssh-ed25519 ${key}\n`)
  t.match(
    seen('ssh-words'),
    /StrictHostKeyChecking=yes\n[^]*HostKeyAlias=berth-hypervisor\n[^]*-l\nroot\n--\n10.77.1.2\nbash -s\n$/,
  )
  const left = /UserKnownHostsFile=(.*)/.exec(seen('ssh-words'))?.[1] ?? ''
  t.notOk(existsSync(left), 'the temporary file is gone')
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

test('list, set, remove, domains', async (t) => {
  const it = await bench(t)
  const HypervisorList = Type.Object({ hypervisors: Type.Array(Hypervisor) })
  it.broker.on(
    'GET /hypervisors',
    answer(HypervisorList, {
      hypervisors: [
        hypervisor(),
        hypervisor({
          name: 'hv2',
          state: 'unreachable',
          reason: 'no route',
          capacity: null,
          virtType: null,
          versions: null,
        }),
      ],
    }),
  )
  const { stdout } = await it.berth(['hypervisor', 'list'])
  const [head, first, second, ...rest] = stdout.split('\n')
  t.match(head, /^NAME +ADDRESS +STATE/)
  t.match(first, /^hv1 +10\.77\.1\.2:22 +up +qemu +2 +2 +20\.0 GiB +5\.0 GiB +-$/)
  t.match(second, /^hv2 +10\.77\.1\.2:22 +unreachable +- +2 +- +- +- +no route$/)
  t.same(rest, [''])
  it.broker.on(
    'GET /hypervisors/hv1',
    answer(Hypervisor, hypervisor({ state: 'unreachable', reason: 'no helper' })),
  )
  t.match(
    await it.berth(['hypervisor', 'show', 'hv1']),
    { code: 0, stdout: /reason: +no helper\n/ },
    'without an install line too',
  )
  it.broker.on(
    'GET /hypervisors/hv1/install-line',
    answer(Type.Object({ installLine: Type.String() }), { installLine: INSTALL_LINE }),
  )
  t.match(await it.berth(['hypervisor', 'show', 'hv1']), {
    code: 0,
    stdout: /install line: +curl /,
  })
  it.broker.on(
    'PATCH /hypervisors/hv1',
    answer(Hypervisor, hypervisor(), { request: HypervisorPatch }),
  )
  t.match(await it.berth(['hypervisor', 'set', 'hv1', '--display-address', 'hv1.example']), {
    code: 0,
    stdout: /name: +hv1\n/,
  })
  t.match(await it.berth(['hypervisor', 'set', 'hv1']), { code: 2, stderr: /Nothing to change/ })
  t.match(await it.berth(['hypervisor', 'set', 'hv1', '--max-starts', '65']), {
    code: 2,
    stderr: /from 1 to 64/,
  })
  it.broker.on(
    'DELETE /hypervisors/hv1',
    refuse('has_dependants', 'hv1 has machines.', ['pc-01', 'pc-02']),
  )
  t.match(await it.berth(['hypervisor', 'remove', 'hv1', '--yes']), {
    code: 1,
    stderr: 'berth: hv1 has machines.\n  pc-01\n  pc-02\n',
  })
  it.broker.on(
    'DELETE /hypervisors/hv1?force=true',
    answer(Type.Undefined(), undefined, { status: 204 }),
  )
  t.match(await it.berth(['hypervisor', 'remove', 'hv1', '--yes', '--force']), { code: 0 })
})

test('check shows what was found and what to do, and its exit code says whether something failed', async (t) => {
  const it = await bench(t)
  const finding = (result: Finding['result'], sentence: string, advice = ''): Finding => ({
    result,
    measured: '3 ms',
    says: [{ code: 'x', values: {}, sentence, advice }],
  })
  const ended = (worst: Finding): Parameters<typeof job>[0] => ({
    id: 'c1',
    kind: 'check',
    subject: 'hv1',
    targets: [
      target('port', { finding: finding('ok', 'Somebody answers.') }),
      target('sshd', {
        state: worst.result === 'failed' ? 'failed' : 'done',
        message: worst.says[0]?.sentence ?? '',
        finding: worst,
      }),
    ],
  })
  it.broker.on('POST /hypervisors/hv1/check', answer(CheckStarted, { job: 'c1' }, { status: 202 }))
  it.broker.on(
    'GET /hypervisors',
    answer(Type.Object({ hypervisors: Type.Array(Hypervisor) }), { hypervisors: [hypervisor()] }),
  )
  it.broker.on(
    'GET /jobs/c1/events',
    stream([job(ended(finding('warning', 'Two sessions.', 'Set MaxSessions.')))]),
  )
  t.match(await it.berth(['hypervisor', 'check', 'hv1']), {
    code: 0,
    stdout:
      /hv1:[^]*port +ok +3 ms +-[^]*sshd +warning +3 ms +Two sessions\.[^]*sshd: Set MaxSessions\./,
  })
  it.broker.on(
    'GET /jobs/c1/events',
    stream([job(ended(finding('failed', 'No forwarding.', 'Allow it.')))]),
  )
  t.match(await it.berth(['hypervisor', 'check']), { code: 1, stdout: /sshd +failed/ }, 'all hosts')
  t.match(await it.berth(['hypervisor', 'check', 'hv1', '-o', 'json']), {
    code: 1,
    stdout: /"advice": "Allow it\."/,
  })
})

test('drain says who is affected, asks, and waits until it is empty', async (t) => {
  const it = await bench(t)
  const state = (more: Partial<DrainState> = {}): DrainState => ({
    drain: { beganAt: NOW, by: 'admin', message: '', deadline: null, total: 1, emptyAt: null },
    left: 1,
    others: ['foreign'],
    sentence: '1 of 1 left.',
    machines: [
      {
        machine: 'pc-01',
        pool: 'lab',
        power: 'running',
        step: 'holder',
        sentence: 'ann has it: it stays until she leaves.',
        holder: 'ann',
        connected: true,
        until: null,
      },
      {
        machine: 'pc-02',
        pool: null,
        power: 'off',
        step: 'rest',
        sentence: 'It is off.',
        holder: null,
        connected: false,
        until: null,
      },
    ],
    ...more,
  })
  it.broker.on('GET /hypervisors/hv1/drain', answer(DrainState, state({ drain: null })))
  it.broker.on(
    'POST /hypervisors/hv1/drain',
    answer(DrainState, state(), { request: DrainRequest }),
  )
  const words = ['hypervisor', 'drain', 'hv1']
  t.match(await it.berth([...words, '--show']), {
    code: 0,
    stdout: /pc-01 +lab +running +ann \(connected\)[^]*Not Berth's: foreign/,
  })
  t.match(
    await it.berth(words),
    { code: 2, stderr: /ann has it[^]*--yes/ },
    'without a terminal it must be said',
  )
  t.notOk(
    it.broker.asked.some(({ method }) => method === 'POST'),
    'nothing was ordered',
  )
  t.match(await it.cli.talk(words, [[/Empty hv1\?/, '']]), { code: 1, stdout: /nothing was done/ })
  const empty = state({
    drain: { beganAt: NOW, by: 'admin', message: '', deadline: null, total: 1, emptyAt: NOW },
    left: 0,
    machines: [],
    others: [],
    sentence: 'It is empty: it may be switched off.',
  })
  const states = [state({ drain: null }), state(), empty]
  it.broker.on('GET /hypervisors/hv1/drain', (asked, response) => {
    answer(DrainState, states.length > 1 ? states.shift() : empty)(asked, response)
  })
  t.match(
    await it.berth([
      ...words,
      '--yes',
      '--wait',
      '--deadline',
      'PT2H',
      '--message',
      'Please leave.',
    ]),
    { code: 0, stderr: /1 of 1 left/, stdout: /hv1: It is empty/ },
  )
  t.strictSame(it.broker.asked.filter(({ method }) => method === 'POST').at(-1)?.body, {
    message: 'Please leave.',
    deadline: 'PT2H',
  })
})
