import t from 'tap'
import {
  type DomainSpec,
  domainXml,
  METADATA_URI,
  parseDomainXml,
} from '../../../broker/hypervisors/domain-xml.js'

const SPEC: DomainSpec = {
  name: 'pc-01',
  uuid: '3f0c2a34-8a61-4a5c-9c7d-0d6e4f6e8a01',
  virtType: 'qemu',
  memoryMib: 512,
  vcpus: 2,
  firmware: 'bios',
  network: 'bridge:br0',
  mac: '52:54:00:aa:bb:cc',
  serial: 'pc-01',
  disk: '/var/lib/berth/overlays/pc-01.qcow2',
  transient: true,
  destroyOnReboot: true,
  listen: '10.77.1.1',
  metadata: { generation: 'g3' },
  template: null,
}

t.test('what is built is what is read back', async (t) => {
  const parsed = parseDomainXml(domainXml(SPEC))
  t.match(parsed, {
    name: SPEC.name,
    uuid: SPEC.uuid,
    memoryMib: 512,
    vcpus: 2,
    firmware: 'bios',
    network: 'bridge:br0',
    mac: SPEC.mac,
    serial: 'pc-01',
    disk: SPEC.disk,
    transient: true,
    destroyOnReboot: true,
    displays: ['spice', 'vnc'],
  })
})

t.test('a display is closed until a ticket opens it, and only its TLS port listens', async (t) => {
  const xml = domainXml(SPEC)
  t.match(xml, /passwdValidTo="1970-01-01T00:00:01"/)
  t.match(xml, /defaultMode="secure"/)
  t.match(xml, /<graphics type="vnc">\s*<listen type="socket"\/>/)
})

t.test('names and texts cannot break out of the XML', async (t) => {
  const xml = domainXml({ ...SPEC, name: '"><evil/>', metadata: { generation: '\'"<&>' } })
  t.notMatch(xml, '<evil/>')
  t.equal(parseDomainXml(xml).name, '"><evil/>')
})

t.test("a domain.xml of one's own keeps what Berth does not fill in", async (t) => {
  const template = `<domain type='kvm'><name>x</name><memory unit='GiB'>9</memory>
    <os><type arch='x86_64'>hvm</type></os><devices>
    <disk type='file' device='disk'><source file='/elsewhere.qcow2'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><source file='/iso.iso'/><target dev='sda' bus='sata'/></disk>
    <watchdog model='itco' action='reset'/></devices></domain>`
  const xml = domainXml({ ...SPEC, template })
  t.match(xml, /<watchdog model="itco" action="reset"\/>/)
  t.match(xml, '/iso.iso')
  t.notMatch(xml, '/elsewhere.qcow2')
  t.match(parseDomainXml(xml), { name: 'pc-01', memoryMib: 512, disk: SPEC.disk })
})

t.test('metadata name the generation under our own namespace', async (t) => {
  t.match(domainXml(SPEC), `<berth:berth xmlns:berth="${METADATA_URI}" generation="g3"/>`)
})

const REFUSED = [
  ['a DOCTYPE', '<!DOCTYPE d [<!ENTITY a "b">]><domain/>', /DOCTYPE/],
  ['something malformed', '<domain><name></domain>', /line 1/],
  ['another document', '<network/>', /no <domain>/],
  ['endless nesting', `<domain>${'<a>'.repeat(80)}${'</a>'.repeat(80)}</domain>`, /nested deeper/],
] as const
for (const [what, xml, message] of REFUSED) {
  t.test(`${what} is refused in a sentence`, async (t) => {
    t.throws(() => parseDomainXml(xml), {
      code: 'invalid_request',
      message,
    })
  })
}

t.test('memory is read in every unit libvirt knows', async (t) => {
  const memoryOf = (memory: string): number =>
    parseDomainXml(`<domain>${memory}</domain>`).memoryMib
  t.same(
    [
      memoryOf('<memory>1048576</memory>'),
      memoryOf('<memory unit="GiB">2</memory>'),
      memoryOf('<memory unit="bytes">1073741824</memory>'),
    ],
    [1024, 2048, 1024],
  )
})
