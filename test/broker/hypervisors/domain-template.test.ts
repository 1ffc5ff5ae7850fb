import t from 'tap'
import {
  type DomainSpec,
  domainXml,
  parseDomainXml,
} from '../../../broker/hypervisors/domain-xml.js'
import { parseDomain } from '../../../broker/hypervisors/domain-reading.js'
import { refuseShared } from '../../../broker/hypervisors/domain-template.js'
import { CORPUS, linesOf } from './domain-corpus.js'

const GOLDEN = CORPUS.get('golden') ?? ''
function spec(number: number): DomainSpec {
  return {
    name: `pc-0${number}`,
    uuid: `3f0c2a34-8a61-4a5c-9c7d-0d6e4f6e8a0${number}`,
    virtType: 'qemu',
    memoryMib: 3072,
    vcpus: 3,
    firmware: 'uefi',
    network: 'direct:eth0',
    mac: `52:54:00:aa:bb:0${number}`,
    serial: `pc-0${number}`,
    disk: `/var/lib/berth/overlays/pc-0${number}.qcow2`,
    transient: false,
    destroyOnReboot: false,
    listen: '0.0.0.0',
    metadata: {},
    template: GOLDEN,
  }
}

t.test("machines made from one XML share nothing that can be one machine's only", async (t) => {
  const [first, second] = [domainXml(spec(1)), domainXml(spec(2))]
  for (const xml of [first, second]) {
    for (const owned of [
      'golden',
      '6c8e2f2e',
      '43dc0cf8',
      'GOLDEN',
      '52:54:00:1a:2b',
      '5907',
      '10.0.0.7',
      'pts/3',
      'address="9"',
    ])
      t.notMatch(xml, owned)
    t.equal(xml.split('<disk ').length, 3, 'its disk and the CD')
    t.match(xml, '/var/lib/libvirt/images/seed.iso')
    t.match(xml, /<target dev="sda" bus="sata"\/>/)
    t.match(xml, /keymap="lt"/)
    t.match(xml, /<entry name="product">Desk/)
    t.same(parseDomainXml(xml).macs.length, 2)
  }
  const unique = /uuid|\/name\[1\]=|sysinfo|genid|nvram|serial|mac\[1\]@address|source\[1\]@file/
  const [lines, others] = [linesOf(parseDomain(first)), linesOf(parseDomain(second))]
  t.same(
    lines.filter((line) => !others.includes(line) && !unique.test(line)),
    [],
    'in everything else they are alike',
  )
  t.equal(domainXml(spec(1)), first, 'and the same machine is the same every time')
})

const SHARED: ReadonlyArray<readonly [string, string]> = [
  ["<disk type='file'><source file='/b'/><target dev='vdb'/></disk>", 'vdb'],
  ["<disk type='block'><source dev='/dev/x'/><target dev='vdc'/></disk>", 'vdc'],
  [
    "<disk type='volume' device='floppy'><source pool='p' volume='v'/><target dev='fda'/></disk>",
    'fda',
  ],
  ["<hostdev mode='subsystem' type='pci'/>", 'host device'],
  ["<hostdev mode='subsystem' type='mdev' model='vfio-pci'/>", 'mdev'],
  ["<hostdev mode='subsystem' type='usb'/>", 'usb'],
  ["<interface type='hostdev'><mac address='52:54:00:00:00:01'/></interface>", '52:54:00:00:00:01'],
  ["<interface type='vhostuser'/>", 'vhostuser'],
  ["<filesystem type='mount'><source dir='/srv'/></filesystem>", '/srv'],
  ["<tpm><backend type='passthrough'/></tpm>", 'TPM'],
  ["<serial type='tcp'><source mode='bind' host='0.0.0.0' service='4555'/></serial>", '4555'],
  ["<serial type='unix'><source mode='bind' path='/run/x'/></serial>", '/run/x'],
  ["<console type='file'><source path='/var/log/x'/></console>", '/var/log/x'],
  ["<serial type='pty'><log file='/var/log/y'/></serial>", '/var/log/y'],
  ["<shmem name='s'/>", 'shared memory'],
  ["<memory model='nvdimm'><source><path>/nv</path></source></memory>", '/nv'],
]
for (const [device, named] of SHARED)
  t.test(`for several machines ${named} is named and refused`, async (t) => {
    const xml =
      "<domain><devices><disk type='file'><source file='/a'/><target " +
      `dev='vda'/></disk>${device}</devices></domain>`
    t.throws(
      () => {
        refuseShared(xml)
      },
      { code: 'invalid_request', message: new RegExp(named) },
    )
  })

t.test("what can be made each one's own is not refused", async () => {
  refuseShared(GOLDEN)
})
