import { BrokerError } from '../errors.js'
import {
  buildXml,
  nodeOf,
  nodesOf,
  parseXml,
  textOf as text,
  type XmlNode as Node,
} from '../xml/xml.js'

/** What the machine's own definition says; everything else comes from the template. */
export interface DomainSpec {
  readonly name: string
  readonly uuid: string
  readonly virtType: 'kvm' | 'qemu'
  readonly memoryMib: number
  readonly vcpus: number
  readonly firmware: 'bios' | 'uefi'
  /** `network:NAME`, `bridge:NAME` or `none`. */
  readonly network: string
  readonly mac: string
  readonly serial: string
  /** Absolute path of the qcow2 that is vda. */
  readonly disk: string
  /** Writes go to a throw-away layer that ends with the power. */
  readonly transient: boolean
  readonly destroyOnReboot: boolean
  /** The address on which the SPICE TLS port listens. */
  readonly listen: string
  readonly metadata: DomainMetadata
  /** What viewers may do besides seeing and typing; absent: everything. */
  readonly features?: DesktopFeatures
  /** A domain.xml of one's own instead of the built-in template. */
  readonly template: string | null
}

/** Enforced by QEMU's SPICE server, whatever a viewer asks for. */
export interface DesktopFeatures {
  readonly clipboard: boolean
  readonly fileTransfer: boolean
  readonly usb: boolean
}
export const ALL_FEATURES: DesktopFeatures = { clipboard: true, fileTransfer: true, usb: true }

/** `record`: what a lost database is made from again, as JSON. */
export interface DomainMetadata {
  readonly pool?: string
  readonly generation?: string
  readonly assignment?: string
  readonly record?: string
}

export const METADATA_URI = 'https://berth.invalid/xmlns/1'
/** The ticket of a display that nobody may open: expired before libvirt existed. Without a password SPICE would let anybody in. */
const CLOSED = { '@_passwd': 'closed', '@_passwdValidTo': '1970-01-01T00:00:01' }
/** Hot-plug needs free ports; q35 has none of its own (https://libvirt.org/pci-hotplug.html). */
const SPARE_PCIE_PORTS = 6
const SPICE_USB_CHANNELS = 4

const LISTS = [
  'disk',
  'interface',
  'graphics',
  'channel',
  'redirdev',
  'controller',
  'sound',
  'video',
  'entry',
  'listen',
] as const

/** The domain's XML for libvirt's define; pure. Throws `invalid_request` when the template of one's own is not a domain. */
export function domainXml(spec: DomainSpec): string {
  const domain = spec.template === null ? builtIn(spec) : parseDomain(spec.template)
  const devices = nodeOf(domain['devices'])
  const own = spec.template !== null
  const features = spec.features ?? ALL_FEATURES
  return buildXml({
    domain: {
      ...domain,
      '@_type': spec.virtType,
      name: spec.name,
      uuid: spec.uuid,
      metadata: metadata(spec.metadata),
      memory: { '@_unit': 'MiB', '#text': spec.memoryMib },
      currentMemory: { '@_unit': 'MiB', '#text': spec.memoryMib },
      vcpu: spec.vcpus,
      sysinfo: {
        '@_type': 'smbios',
        system: {
          entry: [
            { '@_name': 'manufacturer', '#text': 'Berth' },
            { '@_name': 'serial', '#text': spec.serial },
            { '@_name': 'uuid', '#text': spec.uuid },
          ],
        },
      },
      os: { ...nodeOf(domain['os']), smbios: { '@_mode': 'sysinfo' } },
      on_poweroff: 'destroy',
      on_reboot: spec.destroyOnReboot ? 'destroy' : 'restart',
      on_crash: 'destroy',
      devices: {
        ...devices,
        disk: [
          bootDisk(spec),
          ...nodesOf(devices['disk']).filter((disk) => targetOf(disk) !== 'vda'),
        ],
        interface: interfaces(spec, nodesOf(devices['interface'])),
        graphics: displays(spec, features),
        ...(own ? {} : consoleDevices()),
        ...(features.usb ? {} : { redirdev: [] }),
      },
    },
  })
}

/** What Berth reads from a domain that exists. Absent elements are settled here. */
export interface ParsedDomain {
  readonly name: string
  readonly uuid: string
  readonly memoryMib: number
  readonly vcpus: number
  readonly firmware: 'bios' | 'uefi'
  readonly network: string
  readonly mac: string
  readonly serial: string
  /** The file of the first disk (device disk), or null. */
  readonly disk: string | null
  readonly transient: boolean
  readonly destroyOnReboot: boolean
  readonly displays: readonly string[]
}

/** Reads `dumpxml` output; throws `invalid_request` for anything else. */
export function parseDomainXml(xml: string): ParsedDomain {
  const domain = parseDomain(xml)
  const devices = nodeOf(domain['devices'])
  const disk = nodesOf(devices['disk']).find((node) => (node['@_device'] ?? 'disk') === 'disk')
  const card = nodesOf(devices['interface'])[0]
  const os = nodeOf(domain['os'])
  const smbios = nodesOf(nodeOf(nodeOf(domain['sysinfo'])['system'])['entry'])
  return {
    name: text(domain['name']),
    uuid: text(domain['uuid']),
    memoryMib: Math.round(memoryBytes(domain['memory']) / 1_048_576),
    vcpus: Number(text(domain['vcpu']) || 1),
    firmware: os['@_firmware'] === 'efi' || text(os['loader']) !== '' ? 'uefi' : 'bios',
    network: networkOf(card),
    mac: text(nodeOf(card?.['mac'])['@_address']),
    serial: text(smbios.find((entry) => entry['@_name'] === 'serial')),
    disk: text(nodeOf(disk?.['source'])['@_file']) || null,
    transient: disk !== undefined && 'transient' in disk,
    destroyOnReboot: text(domain['on_reboot']) === 'destroy',
    displays: nodesOf(devices['graphics']).map((graphics) => text(graphics['@_type'])),
  }
}

function parseDomain(xml: string): Node {
  const parsed = parseXml(xml, LISTS)
  if ('fault' in parsed)
    throw new BrokerError(
      'invalid_request',
      `The domain XML is refused: line ${parsed.fault.line}, column ${parsed.fault.column}: ${parsed.fault.message}.`,
    )
  const domain = parsed.root['domain']
  if (typeof domain !== 'object' || domain === null)
    throw new BrokerError('invalid_request', 'The domain XML has no <domain> element.')
  return domain as Node
}

function builtIn(spec: DomainSpec): Node {
  const uefi = spec.firmware === 'uefi'
  return {
    os: {
      ...(uefi ? { '@_firmware': 'efi' } : {}),
      type: { '@_arch': 'x86_64', '@_machine': 'q35', '#text': 'hvm' },
      boot: { '@_dev': 'hd' },
    },
    features: { acpi: '', apic: '' },
    cpu:
      spec.virtType === 'kvm'
        ? { '@_mode': 'host-passthrough', '@_check': 'none' }
        : {
            '@_mode': 'custom',
            '@_match': 'exact',
            '@_check': 'none',
            model: { '@_fallback': 'allow', '#text': 'qemu64' },
          },
    clock: {
      '@_offset': 'utc',
      timer: [
        { '@_name': 'rtc', '@_tickpolicy': 'catchup' },
        { '@_name': 'hpet', '@_present': 'no' },
      ],
    },
    devices: {},
  }
}

function bootDisk(spec: DomainSpec): Node {
  return {
    '@_type': 'file',
    '@_device': 'disk',
    driver: { '@_name': 'qemu', '@_type': 'qcow2', '@_discard': 'unmap' },
    source: { '@_file': spec.disk },
    target: { '@_dev': 'vda', '@_bus': 'virtio' },
    serial: spec.serial.slice(0, 20), // virtio-blk carries at most 20 bytes
    ...(spec.transient ? { transient: '' } : {}),
  }
}

function interfaces(spec: DomainSpec, given: Node[]): Node[] {
  const [kind, name] = spec.network.split(':')
  if (kind === 'none') return []
  const [first, ...others] = given
  const source =
    kind === 'bridge'
      ? { '@_type': 'bridge', source: { '@_bridge': name } }
      : { '@_type': 'network', source: { '@_network': name } }
  return [
    { model: { '@_type': 'virtio' }, ...first, ...source, mac: { '@_address': spec.mac } },
    ...others,
  ]
}

function displays(spec: DomainSpec, features: DesktopFeatures): Node[] {
  return [
    {
      '@_type': 'spice',
      '@_autoport': 'yes',
      '@_defaultMode': 'secure',
      '@_keymap': 'en-us',
      ...CLOSED,
      listen: [{ '@_type': 'address', '@_address': spec.listen }],
      image: { '@_compression': 'auto_glz' },
      streaming: { '@_mode': 'filter' },
      ...spiceLimits(features),
    },
    { '@_type': 'vnc', listen: [{ '@_type': 'socket' }] }, // libvirt makes a socket only root and QEMU reach
  ]
}

/** https://libvirt.org/formatdomain.html#graphical-framebuffers */
function spiceLimits(features: DesktopFeatures): Node {
  return {
    ...(features.clipboard ? {} : { clipboard: { '@_copypaste': 'no' } }),
    ...(features.fileTransfer ? {} : { filetransfer: { '@_enable': 'no' } }),
  }
}

function consoleDevices(): Node {
  return {
    channel: [
      { '@_type': 'unix', target: { '@_type': 'virtio', '@_name': 'org.qemu.guest_agent.0' } },
      { '@_type': 'spicevmc', target: { '@_type': 'virtio', '@_name': 'com.redhat.spice.0' } },
    ],
    controller: [
      { '@_type': 'usb', '@_model': 'qemu-xhci', '@_ports': '15' },
      { '@_type': 'virtio-serial' },
      { '@_type': 'pci', '@_index': '0', '@_model': 'pcie-root' },
      ...Array.from({ length: 8 + SPARE_PCIE_PORTS }, () => ({
        '@_type': 'pci',
        '@_model': 'pcie-root-port',
      })),
    ],
    redirdev: Array.from({ length: SPICE_USB_CHANNELS }, () => ({
      '@_bus': 'usb',
      '@_type': 'spicevmc',
    })),
    input: [{ '@_type': 'tablet', '@_bus': 'usb' }], // the keyboard is the PS/2 one that every q35 has: boot loaders and small kernels know it
    sound: [{ '@_model': 'ich9' }],
    audio: { '@_id': '1', '@_type': 'spice' },
    video: [
      {
        model: {
          '@_type': 'qxl',
          '@_ram': '65536',
          '@_vram': '65536',
          '@_vgamem': '16384',
          '@_heads': '1',
          '@_primary': 'yes',
        },
      },
    ],
    memballoon: { '@_model': 'virtio' },
    rng: { '@_model': 'virtio', backend: { '@_model': 'random', '#text': '/dev/urandom' } },
  }
}

/** Berth's element alone, as libvirt takes it for a domain that exists. */
export function metadataXml(values: DomainMetadata): string {
  return buildXml({
    berth: Object.fromEntries(Object.entries(values).map(([name, value]) => [`@_${name}`, value])),
  }).trim()
}

/** What Berth wrote into a domain; null when it wrote nothing. */
export function readMetadata(xml: string): DomainMetadata | null {
  const element = nodeOf(nodeOf(parseDomain(xml)['metadata'])['berth:berth'])
  if (text(element['@_xmlns:berth']) !== METADATA_URI) return null
  return Object.fromEntries(
    (['pool', 'generation', 'assignment', 'record'] as const)
      .filter((name) => element[`@_${name}`] !== undefined)
      .map((name) => [name, text(element[`@_${name}`])]),
  )
}

function metadata(values: DomainMetadata): Node {
  return {
    'berth:berth': {
      '@_xmlns:berth': METADATA_URI,
      ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`@_${name}`, value])),
    },
  }
}

function networkOf(card: Node | undefined): string {
  const source = nodeOf(card?.['source'])
  if (source['@_network']) return `network:${text(source['@_network'])}`
  return source['@_bridge'] ? `bridge:${text(source['@_bridge'])}` : 'none'
}

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  kb: 1e3,
  k: 1024,
  kib: 1024,
  mb: 1e6,
  m: 1_048_576,
  mib: 1_048_576,
  gb: 1e9,
  g: 1_073_741_824,
  gib: 1_073_741_824,
}
/** https://libvirt.org/formatdomain.html#memory-allocation: the unit is KiB when none is given. */
function memoryBytes(node: unknown): number {
  return (
    Number(text(node) || 0) * (UNITS[text(nodeOf(node)['@_unit']).toLowerCase() || 'kib'] ?? 1024)
  )
}

function targetOf(disk: Node): string {
  return text(nodeOf(disk['target'])['@_dev'])
}
