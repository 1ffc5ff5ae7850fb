import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { SETTINGS } from '../../broker/settings.js'
import { ConfigError, durationMs, loadConfig, parseConfig } from '../../broker/config.js'
import { ROOT } from '../support/broker-process.js'

const FILE = '/etc/berth/broker.yaml'

function faultsOf(text: string): readonly string[] {
  try {
    parseConfig(text, FILE)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
}

t.test('without a file, and with an empty one, the defaults hold', async (t) => {
  for (const config of [
    loadConfig(null),
    parseConfig('', FILE),
    parseConfig('# nothing yet\n', FILE),
  ]) {
    t.match(config, {
      dataDir: '/var/lib/berth',
      listenAddress: '::',
      listenPort: 8443,
      publicNames: [hostname()],
      tls: null,
      thinClientNetworks: [],
      releaseAfterMs: 300_000,
      shutdownTimeoutMs: 120_000,
      observeEveryMs: 30_000,
      observationAgeMs: 120_000,
      displayTimeoutMs: 2_000,
      libvirtProcesses: 1,
      logLevel: 'info',
    })
  }
})

t.test('every setting may be given', async (t) => {
  const config = parseConfig(
    [
      'data-dir: /srv/berth',
      'listen-address: 10.0.0.1',
      'listen-port: 443',
      'public-names: [berth.example.org, 10.0.0.1]',
      'tls-certificate: /etc/ssl/a.pem',
      'tls-key: /etc/ssl/a.key',
      'clients-xml: /srv/clients.xml',
      'thin-client-networks: [10.1.0.0/16, "2001:db8::/32"]',
      'horizon-server: h.example.org',
      'release-after: PT1H30M',
      'shutdown-timeout: PT0.5S',
      'observe-every: P1DT1S',
      'observation-age: PT3M',
      'display-timeout: PT0.5S',
      'libvirt-processes: 4',
      'log-level: debug',
    ].join('\n'),
    FILE,
  )
  t.match(config, {
    dataDir: '/srv/berth',
    listenAddress: '10.0.0.1',
    listenPort: 443,
    publicNames: ['berth.example.org', '10.0.0.1'],
    tls: { certificate: '/etc/ssl/a.pem', key: '/etc/ssl/a.key' },
    clientsXmlPath: '/srv/clients.xml',
    horizonServer: 'h.example.org',
    releaseAfterMs: 5_400_000,
    shutdownTimeoutMs: 500,
    observeEveryMs: 86_401_000,
    observationAgeMs: 172_802_000, // twice observe-every: sooner nothing is seen
    displayTimeoutMs: 500,
    libvirtProcesses: 4,
    logLevel: 'debug',
  })
  t.same(
    config.thinClientNetworks.map(([network, bits]) => `${network.toString()}/${bits}`),
    ['10.1.0.0/16', '2001:db8::/32'],
  )
})

const FAULTS: ReadonlyArray<readonly [text: string, fault: string | RegExp]> = [
  [
    '\nlisten-prot: 443',
    `${FILE}:2: listen-prot is not a setting; docs/reference/settings.md lists all of them.`,
  ],
  ['listen-port: https', /^\/etc\/berth\/broker\.yaml:1: listen-port: .*whole number/],
  ['listen-port: 70000', /:1: listen-port: .*65535/],
  ['listen-port: 1.5', /:1: listen-port: .*whole number/],
  ['# a comment\n\npublic-names: berth.example.org', /:3: public-names: .*array/],
  ['public-names: [""]', /:1: public-names: /],
  ['release-after: 5 minutes', /:1: release-after: /],
  ['release-after: P', /:1: release-after: /],
  ['release-after: PT', /:1: release-after: /],
  ['release-after: 300', /:1: release-after: .*string/],
  ['libvirt-processes: 0', /:1: libvirt-processes: /],
  ['log-level: loud', /:1: log-level: /],
  [
    'thin-client-networks: [10.1.0.0/16, office]',
    `${FILE}:1: thin-client-networks: "office" is not a network such as 10.1.0.0/16.`,
  ],
  [
    'trusted-proxies: [10.1.0.5, 10.1/16]',
    `${FILE}:1: trusted-proxies: "10.1/16" is not an address or a network such as 10.1.0.5 or 10.1.0.0/24.`,
  ],
  [
    'trusted-proxies: [proxy.example.org]',
    `${FILE}:1: trusted-proxies: "proxy.example.org" is not an address or a network such as 10.1.0.5 or 10.1.0.0/24.`,
  ],
  [
    'trusted-proxies: ["::/0"]',
    `${FILE}:1: trusted-proxies: "::/0" would believe everybody: name the proxies' own addresses.`,
  ],
  ['trusted-proxies: 10.1.0.5', /:1: trusted-proxies: .*array/],
  ['trusted-proxies: [10.1.0.0/33]', /:1: trusted-proxies: "10.1.0.0\/33" is not /],
  ['thin-client-networks: [10/8]', /"10\/8" is not a network/],
  ['thin-client-networks: [10.1.0.1]', /"10.1.0.1" is not a network/],
  [
    '\ntls-certificate: /a.pem',
    /tls-key: tls-certificate and tls-key are given together or not at all\.$/,
  ],
  ['data-dir: null', /:1: data-dir: .*string/],
  ['- a list', /:1: the file: .*object/],
  ['just words', /:1: the file: .*object/],
  ['listen-port: 1\nlisten-port: 2', /:2: .*unique/i],
  ['a: [1', /:1: /],
  ['listen-port: !!int x', /:1: /],
]

t.test('each fault is told with its file and line', async (t) => {
  for (const [text, fault] of FAULTS) {
    const faults = faultsOf(text)
    t.ok(
      faults.some((one) => (typeof fault === 'string' ? one === fault : fault.test(one))),
      `${JSON.stringify(text)}: ${faults.join(' | ')}`,
    )
    t.ok(faults.every((one) => one.startsWith(`${FILE}:`)))
  }
})

t.test('all faults come at once', async (t) => {
  const faults = faultsOf('listen-port: no\nnonsense: 1\nlog-level: loud\nrelease-after: soon')
  t.same(faults.map((fault) => fault.split(':').slice(1, 3).join(':')).sort(), [
    '1: listen-port',
    '2: nonsense is not a setting; docs/reference/settings.md lists all of them.',
    '3: log-level',
    '4: release-after',
  ])
  t.equal(faultsOf('thin-client-networks: [a, b]\ntls-key: k').length, 3)
})

t.test('a file that is not there is a fault', async (t) => {
  t.throws(() => loadConfig('/nonexistent/broker.yaml'), {
    name: 'ConfigError',
    message: '/nonexistent/broker.yaml: cannot be read (ENOENT).',
  })
})

t.test('durations', async (t) => {
  for (const [text, ms] of [
    ['PT5M', 300_000],
    ['P1D', 86_400_000],
    ['PT1H1M1.5S', 3_661_500],
    ['P2DT3H', 183_600_000],
    ['PT0S', 0],
  ] as const)
    t.equal(durationMs(text), ms, text)
})

t.test(
  'the program refuses to start with a faulty file: exit code 78, every fault on a line',
  async (t) => {
    const file = join(t.testdir({}), 'broker.yaml')
    writeFileSync(file, 'listen-port: no\nnonsense: 1\n')
    const run = (path: string) =>
      spawnSync(
        process.execPath,
        [join(ROOT, 'dist/broker/main.js'), '--check', '--config', path],
        { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
      )
    const { status, stderr, stdout } = run(file)
    t.equal(status, 78)
    t.equal(stdout, '')
    t.equal(stderr.trim().split('\n').length, 2)
    t.match(stderr, new RegExp(`^berth-broker: ${file}:1: listen-port: `))
    writeFileSync(file, 'listen-port: 1234\n')
    t.match(run(file), { status: 0, stdout: 'The settings are good.\n' })
  },
)

t.test('the table of settings has a default and a meaning for each', async (t) => {
  for (const { name, default: value, meaning } of SETTINGS)
    t.ok(value !== undefined && meaning.length > 5, name)
})
