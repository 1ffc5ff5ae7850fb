import t from 'tap'
import {
  type DomainPatch,
  patchDomain,
  parseDomainXml,
  readMetadata,
} from '../../../broker/hypervisors/domain-xml.js'
import { parseDomain } from '../../../broker/hypervisors/domain-reading.js'
import { CORPUS, differences } from './domain-corpus.js'

const MAC = '52:54:00:99:99:99'
/** Each change, and the paths that it may touch. */
const CHANGES: ReadonlyArray<readonly [string, DomainPatch, RegExp]> = [
  ['memory', { memoryMib: 3000 }, /^. \/domain\/(memory|currentMemory)\[1\]/],
  ['vCPUs', { vcpus: 8 }, /^. \/domain\/(vcpu\[1\]=|cpu\[1\]\/topology\[1\])/],
  [
    'the network of the first card',
    { network: 'network:inside', mac: MAC },
    /^. \/domain\/devices\[1\]\/interface\[1\](@type|\/(source|virtualport|vlan|target)\[1\])/,
  ],
  [
    'the system disk',
    { disk: '/var/lib/berth/overlays/x.qcow2' },
    /disk\[\d\](@type|\/driver\[1\]@type|\/source\[1\]|\/wwn)/,
  ],
  ['throwing changes away', { transient: true }, /disk\[\d\]\/transient\[1\]/],
  ['what a reboot does', { destroyOnReboot: true }, /^. \/domain\/on_reboot/],
  ['where it listens', { listen: '::' }, /graphics\[\d\](@listen|\/listen\[1\])/],
  [
    'what a viewer may do',
    { features: { clipboard: false, fileTransfer: false, usb: false } },
    /graphics\[\d\]\/(clipboard|filetransfer)|redirdev/,
  ],
  [
    'the mark',
    { metadata: { generation: 'g1', record: '{"a":"<&>"}' } },
    /^. \/domain\/metadata\[1\](\/berth:berth|$)/,
  ],
]

for (const [name, xml] of CORPUS) {
  for (const [what, patch, touched] of CHANGES)
    t.test(`${name}: ${what} is changed, and nothing else`, async (t) => {
      const before = parseDomain(xml)
      const changed = patchDomain(xml, patch)
      const found = differences(before, parseDomain(changed))
      t.same(
        found.filter((line) => !touched.test(line)),
        [],
      )
      t.equal(patchDomain(changed, patch), changed, 'and done twice it is the same')
      const now = parseDomainXml(changed)
      const was = parseDomainXml(xml)
      t.equal(now.macs.length, was.macs.length, 'no card is lost or made')
      t.equal(changed.split('<disk ').length, xml.split('<disk ').length, 'nor a disk')
      const { memoryMib, vcpus, network, disk, transient, destroyOnReboot } = patch
      for (const [key, value] of Object.entries({
        memoryMib,
        vcpus,
        network,
        disk,
        transient,
        destroyOnReboot,
      }))
        if (value !== undefined) t.equal(now[key as keyof typeof now], value, key)
      if (patch.metadata) t.same(readMetadata(changed), patch.metadata)
    })
  t.test(`${name}: what is the case already changes nothing`, async (t) => {
    const { memoryMib, vcpus, network, disk, transient, destroyOnReboot, mac } = parseDomainXml(xml)
    const same = patchDomain(xml, {
      memoryMib,
      vcpus,
      network,
      mac,
      transient,
      destroyOnReboot,
      ...(disk === null ? {} : { disk }),
    })
    t.same(differences(parseDomain(xml), parseDomain(same)), [])
  })
}

t.test('the system disk is the one that the guest starts from', async (t) => {
  const disks = Object.fromEntries(
    [...CORPUS].map(([name, xml]) => {
      const source = parseDomainXml(xml).diskSource
      return [name, source?.kind === 'path' ? source.path : source]
    }),
  )
  t.same(disks, {
    'windows-sata': '/var/lib/libvirt/images/win10.img',
    'windows-11': '/var/lib/libvirt/images/win11.qcow2',
    'linux-virtio': '/var/lib/libvirt/images/debian12.raw',
    'linux-lvm': '/dev/vg0/lvm-guest',
    'linux-rbd': { kind: 'other', what: 'rbd:pool/rbd-guest' },
    golden: '/var/lib/libvirt/images/golden.img',
  })
})

t.test('the vCPUs are the product of the topology', async (t) => {
  const topology = (name: string, vcpus: number): string | undefined =>
    /<topology[^>]*>/.exec(patchDomain(CORPUS.get(name) ?? '', { vcpus }))?.[0]
  t.equal(topology('windows-sata', 6), '<topology sockets="1" dies="1" cores="3" threads="2"/>')
  t.equal(topology('linux-rbd', 3), '<topology sockets="1" dies="1" cores="3" threads="1"/>')
  t.equal(topology('linux-rbd', 5), '<topology sockets="1" dies="1" cores="5" threads="1"/>')
})

const NUMA =
  "<domain><name>n</name><memory unit='GiB'>2</memory><vcpu>2</vcpu><cpu><numa><cell id='0' " +
  "cpus='0-1' memory='2' unit='GiB'/></numa></cpu><devices/></domain>"
const REFUSED: ReadonlyArray<readonly [string, string, DomainPatch, RegExp]> = [
  ['an odd count for two threads', CORPUS.get('windows-sata') ?? '', { vcpus: 3 }, /topology/],
  ['memory of NUMA cells', NUMA, { memoryMib: 4096 }, /NUMA/],
  ['vCPUs of NUMA cells', NUMA, { vcpus: 4 }, /NUMA/],
  [
    'more than it may have',
    `<domain><name>m</name><maxMemory slots='2' unit='GiB'>4</maxMemory><memory unit='GiB'>2</memory></domain>`,
    { memoryMib: 8192 },
    /4096 MiB/,
  ],
  [
    'pins of vCPUs that go',
    `<domain><name>p</name><vcpu>4</vcpu><cputune><vcpupin vcpu='3' cpuset='1'/></cputune></domain>`,
    { vcpus: 2 },
    /cputune/,
  ],
  [
    'which of two cards is to go',
    CORPUS.get('windows-sata') ?? '',
    { network: 'none' },
    /2 network cards/,
  ],
  [
    'a card that is passed through',
    "<domain><name>h</name><devices><interface type='hostdev'><source><address " +
      "type='pci'/></source></interface></devices></domain>",
    { network: 'network:x' },
    /hostdev/,
  ],
  [
    'a disk that is passed through',
    "<domain><name>l</name><devices><disk type='block' device='lun'><source " +
      "dev='/dev/sdx'/><target dev='sda' bus='scsi'/></disk></devices></domain>",
    { disk: '/x.qcow2' },
    /passed through/,
  ],
]
for (const [what, xml, patch, message] of REFUSED)
  t.test(`${what}: refused in a sentence`, async (t) => {
    t.throws(() => patchDomain(xml, patch), { code: 'invalid_request', message })
  })
