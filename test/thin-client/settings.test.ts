import { join } from 'node:path'
import { test } from 'tap'
import {
  formatBrokerAddress,
  orderSrvRecords,
  parseBrokerAddress,
  searchDomains,
} from '../../thin-client/broker-address.js'
import { parseCommandLine } from '../../thin-client/command-line.js'
import { settingsOfKernelCommandLine } from '../../thin-client/kernel-command-line.js'
import { parseConfigurationFile, readSettings } from '../../thin-client/settings.js'
import { brokersOfDns } from '../../thin-client/setup.js'

const CA = `sha256:${'ab'.repeat(32)}`

test('a whole file is read', async (t) => {
  const text = `# the desk by the window
broker = berth.example:9443\r
ca=${CA.replace('ab', 'AB')}

display=wayland
state-dir=/srv/state
horizon-command=view -s {server} --name "{pool} x"
rdp-arguments=/sec:tls
`
  const file = parseConfigurationFile(text, 'f.conf')
  t.strictSame(file.faults, [])
  t.strictSame(readSettings(file.written), {
    settings: {
      broker: { host: 'berth.example', port: 9443 },
      ca: CA,
      display: 'wayland',
      stateDirectory: '/srv/state',
      horizonCommand: ['view', '-s', '{server}', '--name', '{pool} x'],
      rdpArguments: ['/sec:tls'],
    },
    faults: [],
  })
})

test('every fault is told, with its line', async (t) => {
  const lines = [
    'broker=-x',
    'colour=blue',
    'nonsense',
    'ca=sha256:12',
    'display=tv',
    'state-dir=here',
    'broker=b',
    'horizon-command="',
    'rdp-arguments=/u:a /p:secret',
    '__proto__=1',
  ]
  const file = parseConfigurationFile(lines.join('\n'), 'f.conf')
  const faults = [...file.faults, ...readSettings(file.written).faults]
  t.strictSame(
    faults.map((fault) => /line (\d+)/.exec(fault)?.[1]),
    ['3', '1', '2', '4', '5', '6', '7', '8', '9', '10'],
  )
  t.match(faults[2], 'f.conf line 2: "colour" is not a setting; known are broker, ca, display')
})

test('addresses of brokers', async (t) => {
  const cases: Array<[string, string | undefined]> = [
    ['berth.example', 'berth.example:8443'],
    ['10.0.0.1:443', '10.0.0.1:443'],
    ['[fd00::1]:9000', '[fd00::1]:9000'],
    ['fd00::1', '[fd00::1]:8443'],
    ['', undefined],
    ['-a', undefined],
    ['a b', undefined],
    ['a:0', undefined],
    ['a:65536', undefined],
    ['https://a', undefined],
    ['a/b', undefined],
  ]
  for (const [text, expected] of cases) {
    const address = parseBrokerAddress(text)
    t.equal(address === undefined ? undefined : formatBrokerAddress(address), expected, text)
  }
})

test('the kernel command line', async (t) => {
  const { settings, faults } = readSettings(
    settingsOfKernelCommandLine(
      `BOOT_IMAGE=/vmlinuz root=/dev/vda quiet berth.broker=10.1.2.3 berth.ca=${CA} ` +
        `berth.horizon-command="view {server}" berthold=1\n`,
    ),
  )
  t.strictSame(settings, {
    broker: { host: '10.1.2.3', port: 8443 },
    ca: CA,
    horizonCommand: ['view', '{server}'],
  })
  t.strictSame(faults, [])
  t.match(
    readSettings(settingsOfKernelCommandLine('berth.brocker=x berth.ca')).faults,
    ['kernel command line: "brocker" is not a setting', 'kernel command line: ca: "" is not'].map(
      (start) => new RegExp(`^${start}`),
    ),
  )
  t.strictSame(settingsOfKernelCommandLine(''), [])
})

test('DNS: priority before weight, weight by chance, domains of resolv.conf', async (t) => {
  const records = [
    { name: 'c.', port: 3, priority: 20, weight: 0 },
    { name: 'a', port: 1, priority: 10, weight: 90 },
    { name: 'b', port: 2, priority: 10, weight: 10 },
  ]
  t.strictSame(
    orderSrvRecords(records, () => 0.5).map(({ host }) => host),
    ['a', 'b', 'c'],
  )
  let first = 0
  for (let draw = 0; draw < 2000; draw++)
    if (orderSrvRecords(records, Math.random)[0]?.host === 'a') first++
  t.ok(first > 1650 && first < 1950, `a came first ${first} times of 2000`)
  t.strictSame(
    searchDomains('nameserver 1.1.1.1\ndomain old.example\nsearch lan.example  corp.example\n'),
    ['lan.example', 'corp.example'],
  )
  t.strictSame(searchDomains('search .\n'), [])
  t.strictSame(searchDomains(''), [])
})

test('the command line', async (t) => {
  t.match(parseCommandLine(['--broker', 'b', '--ca', CA, '--once']), {
    kind: 'run',
    once: true,
    configurationPath: '/etc/berth/thin-client.conf',
    configurationRequired: false,
    written: [{ key: 'broker', value: 'b', place: '--broker' }, { key: 'ca' }],
  })
  t.match(parseCommandLine(['--config', '/x', '--console', '/dev/tty1']), {
    configurationPath: '/x',
    configurationRequired: true,
    consolePath: '/dev/tty1',
    once: false,
    written: [],
  })
  t.strictSame(parseCommandLine(['--help']), { kind: 'help' })
  t.strictSame(parseCommandLine(['--version']), { kind: 'version' })
  for (const wrong of [['--colour'], ['--broker'], ['word'], ['--once=3']])
    t.match(parseCommandLine(wrong), { kind: 'wrong', sentence: /see --help\.$/ }, wrong.join(' '))
})

test('the broker by DNS: the first search domain that has some; a name server that fails is no fault', async (t) => {
  const resolvConf = join(
    t.testdir({ 'resolv.conf': 'search a.example b.example c.example\n' }),
    'resolv.conf',
  )
  const asked: string[] = []
  const lookUp = async (name: string) => {
    asked.push(name)
    if (name.endsWith('.a.example')) throw new Error('ENOTFOUND')
    return name.endsWith('.b.example')
      ? [{ name: 'berth.b.example', port: 443, priority: 0, weight: 0 }]
      : []
  }
  t.strictSame(
    await brokersOfDns({ kernelCommandLine: '/dev/null', resolvConf }, Math.random, lookUp),
    [{ host: 'berth.b.example', port: 443 }],
  )
  t.strictSame(asked, ['_berth._tcp.a.example', '_berth._tcp.b.example'])
  t.strictSame(
    await brokersOfDns(
      { kernelCommandLine: '/dev/null', resolvConf: '/nowhere' },
      Math.random,
      lookUp,
    ),
    [],
  )
})
