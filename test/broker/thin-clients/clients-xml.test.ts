import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseClientsXml } from '../../../broker/thin-clients/clients-xml.js'
import { entryFor } from '../../../broker/thin-clients/match.js'
import { ROOT } from '../../support/broker-process.js'

const known = (name: string): boolean => /^pc-\d+$/.test(name)
const parse = (text: string) =>
  parseClientsXml(text, known, { horizonServer: 'horizon.example.org' })
const wrap = (inner: string): string => `<thin-clients>\n${inner}\n</thin-clients>`
const spice = (attributes: string, machine: string): string =>
  `<client ${attributes}><protocol>SPICE</protocol><machine-name>${machine}</machine-name></client>`

t.test('the classic form is read as it is, line breaks inside included', async (t) => {
  const { file, faults } = parse(
    wrap(`<client ip="10.1.0.7">
    <protocol>SPICE</protocol><machine-name>
      pc-1
    </machine-name></client>
    <client ip="10.1.0.8"><protocol>RDP</protocol>
      <machine-rdp-address>ts.example.org:3390</machine-rdp-address></client>
    <client ip="10.1.0.9"><protocol>vmView</protocol><pool>Win 10</pool></client>`),
  )
  t.same(faults, [])
  t.same(
    file?.clients.map((entry) => entry.targets[0]),
    [
      { protocol: 'spice', machine: 'pc-1' },
      { protocol: 'rdp', address: 'ts.example.org:3390' },
      { protocol: 'horizon', desktopPool: 'Win 10' },
    ],
  )
})

t.test('the example in the repository is good', async (t) => {
  const example = readFileSync(join(ROOT, 'clients.xml.example'), 'utf8')
  const { file, faults } = parseClientsXml(example, () => true, {
    horizonServer: 'horizon.example.org',
  })
  t.same(
    faults.filter((fault) => fault.severity === 'error'),
    [],
  )
  t.ok((file?.clients.length ?? 0) > 3)
})

t.test('every fault of meaning is named with its place', async (t) => {
  const { file, faults } = parse(
    wrap(
      [
        spice('ip="10.1.0.7"', 'nobody'),
        spice('ip="10.1.0.777"', 'pc-1'),
        '<client ip="1.2.3.4"><protocol>telnet</protocol></client>',
        spice('', 'pc-1'),
        spice('color="red" ip="1.1.1.1"', 'pc-2'),
        '<klient/>',
      ].join('\n'),
    ),
  )
  t.equal(file, null)
  t.match(
    faults.map(({ line, message }) => [line, message]),
    [
      [2, /no machine "nobody"/],
      [3, /ip="10.1.0.777" is not an IP address/],
      [4, /protocol "telnet" is unknown/],
      [5, /says nobody/],
      [6, /unknown attribute color/],
      [7, /<klient> is unknown/],
    ],
  )
})

t.test('what can only mean one thing is read; a machine that is gone is a warning', async (t) => {
  const { file, faults } = parse(
    wrap(
      [
        spice('mac="0019d1aabbcc"', 'pc-1').replace('SPICE', 'spice'),
        spice('mac="0019.D1AA.BBCD"', 'pc-2').replace('SPICE', 'Spice'),
        '<client mac="00-19-d1-aa-bb-ce"><protocol>login</protocol></client>',
        spice('ip="10.1.0.7"', 'gone'),
      ].join('\n'),
    ),
  )
  t.same(
    file?.clients.map(({ mac }) => mac),
    ['00:19:d1:aa:bb:cc', '00:19:d1:aa:bb:cd', '00:19:d1:aa:bb:ce', null],
  )
  t.match(faults, [{ line: 5, message: /no machine "gone"/, severity: 'warning' }])
  for (const mac of ['0019d1aabb', '0019.d1aabbcc', '00:19-d1:aa:bb:c', 'xx19d1aabbcc'])
    t.equal(parse(wrap(spice(`mac="${mac}"`, 'pc-1'))).file, null, mac)
})

const REFUSED: ReadonlyArray<[string, string, RegExp]> = [
  ['a malformed file', '<thin-clients>\n<client ip="1.2.3.4">\n</thin-clients>', /client/],
  [
    'a document type',
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n<thin-clients>&a;</thin-clients>',
    /DOCTYPE/,
  ],
  ['another root', '<clients/>', /root element/],
  ['a file beyond all bounds', `<thin-clients>${' '.repeat(1_100_000)}</thin-clients>`, /larger/],
  [
    'vmView without a server',
    wrap('<client ip="1.2.3.4"><protocol>vmView</protocol><pool>a</pool></client>'),
    /./,
  ],
]
for (const [what, text, message] of REFUSED.slice(0, 4)) {
  t.test(`${what} is refused with line and column`, async (t) => {
    const { file, faults } = parse(text)
    t.equal(file, null)
    t.match(faults[0]?.message, message)
    t.ok((faults[0]?.line ?? 0) >= 1 && (faults[0]?.column ?? 0) >= 1)
  })
}

t.test('vmView needs to know its server', async (t) => {
  t.match(
    parseClientsXml(REFUSED[4]?.[1] ?? '', known, { horizonServer: '' }).faults[0]?.message,
    /horizon-server/,
  )
})

t.test('of duplicates the last wins, with a warning', async (t) => {
  const { file, faults } = parse(
    wrap(spice('ip="10.1.0.7"', 'pc-1') + spice('ip="10.1.0.7"', 'pc-2')),
  )
  t.match(faults, [{ severity: 'warning' }])
  t.same(
    file?.clients.map((entry) => entry.targets[0]),
    [{ protocol: 'spice', machine: 'pc-2' }],
  )
})

t.test(
  'the most specific entry means the device: mac, ip, host name, longest network, default',
  async (t) => {
    const { file } = parse(
      wrap(
        [
          spice('cidr="10.0.0.0/8"', 'pc-1'),
          spice('cidr="10.1.0.0/16"', 'pc-2'),
          spice('hostname="Desk9"', 'pc-3'),
          spice('ip="10.1.0.7"', 'pc-4'),
          spice('mac="52-54-00-AA-BB-CC"', 'pc-5'),
          '<default><protocol>SPICE</protocol><machine-name>pc-6</machine-name></default>',
        ].join(''),
      ),
    )
    if (!file) throw new Error('it was refused')
    const machine = (address: string, hostname = '', mac = '52:54:00:00:00:01'): unknown =>
      (
        entryFor(file, { macs: [mac], address, hostname })?.targets[0] as
          { machine: string } | undefined
      )?.machine
    t.same(
      [
        machine('10.9.9.9'),
        machine('10.1.9.9'),
        machine('10.1.9.9', 'desk9'),
        machine('10.1.0.7', 'desk9'),
        machine('::ffff:10.1.0.7'),
        machine('10.1.0.7', '', '52:54:00:aa:bb:cc'),
        machine('192.168.1.1'),
        machine('fe80::1'),
      ],
      ['pc-1', 'pc-2', 'pc-3', 'pc-4', 'pc-4', 'pc-5', 'pc-6', 'pc-6'],
    )
  },
)

t.test('further targets and viewer options', async (t) => {
  const { file } = parse(
    wrap(`<client mac="52:54:00:00:00:02"><protocol>SPICE</protocol><machine-name>pc-1</machine-name>
    <target><protocol>RDP</protocol><machine-rdp-address>ts1</machine-rdp-address></target>
    <target><desktop-pool>lab</desktop-pool></target>
    <viewer full-screen="no" usb-auto-share="yes" resolution="1920x1080" multi-monitor="yes" audio="no"/></client>`),
  )
  t.same(file?.clients[0]?.targets, [
    { protocol: 'spice', machine: 'pc-1' },
    { protocol: 'rdp', address: 'ts1' },
    { protocol: 'pool', pool: 'lab' },
  ])
  t.same(file?.clients[0]?.viewer, {
    fullScreen: false,
    usbAutoShare: true,
    resolution: '1920x1080',
    multiMonitor: true,
    audio: false,
  })
})

t.test('a login, with or without bounds; what does not belong to it is a fault', async (t) => {
  const login = (inner: string): string =>
    wrap(`<client ip="10.1.0.7"><protocol>LOGIN</protocol>${inner}</client>`)
  t.same(parse(login('')).file?.clients[0]?.targets, [{ protocol: 'login', pools: [] }])
  t.same(
    parse(login('<desktop-pool> lab </desktop-pool><desktop-pool>office</desktop-pool>')).file
      ?.clients[0]?.targets,
    [{ protocol: 'login', pools: ['lab', 'office'] }],
  )
  t.same(
    parse(
      wrap(
        '<client ip="10.1.0.7"><protocol>SPICE</protocol><machine-name>pc-1</machine-name>' +
          '<target><protocol>LOGIN</protocol></target></client>',
      ),
    ).file?.clients[0]?.targets.length,
    2,
  )
  for (const [inner, message] of [
    ['<machine-name>pc-1</machine-name>', /LOGIN takes no <machine-name>/],
    ['<pool>x</pool>', /takes no <pool>/],
    ['<desktop-pool>a/b</desktop-pool>', /characters/],
    ['<desktop-pool/>', /characters/],
  ] as const) {
    t.match(parse(login(inner)), { file: null, faults: [{ line: 2, message }] }, inner)
  }
})
