import { refusal } from '../errors/broker-error.js'
import { parseTree, type XmlElement } from '../xml/tree.js'
import { buildXml, type XmlNode as Node } from '../xml/xml.js'
import type { DesktopFeatures } from './domain-patch.js'
import { type DomainMetadata, METADATA_URI } from './domain-reading.js'
import type { DomainSpec } from './domain-spec.js'
import { instanceOf } from './domain-template.js'

export type { DomainSpec } from './domain-spec.js'

export { type DesktopFeatures, type DomainPatch, patchDomain } from './domain-patch.js'
export {
  type DiskSource,
  type DomainMetadata,
  METADATA_URI,
  type ParsedDomain,
  parseDomainXml,
  readMetadata,
  sameDefinition,
} from './domain-reading.js'

export const ALL_FEATURES: DesktopFeatures = { clipboard: true, fileTransfer: true, usb: true }

/**
 * The ticket of a display that nobody may open: expired before libvirt existed. Without a password
 * SPICE would let anybody in.
 */
const CLOSED = { '@_passwd': 'closed', '@_passwdValidTo': '1970-01-01T00:00:01' }
/** Hot-plug needs free ports; q35 has none of its own (https://libvirt.org/pci-hotplug.html). */
const SPARE_PCIE_PORTS = 6
const SPICE_USB_CHANNELS = 4

/**
 * The XML of a new domain for libvirt's define; pure. Throws `invalid_request` when a template of
 * one's own is not a domain, or not what one can be made from.
 */
export function domainXml(spec: DomainSpec): string {
  return spec.template === null ? builtIn(spec) : instanceOf(spec.template, spec)
}

function builtIn(spec: DomainSpec): string {
  const features = spec.features ?? ALL_FEATURES
  return buildXml({
    domain: {
      '@_type': spec.virtType,
      name: spec.name,
      uuid: spec.uuid,
      metadata: metadata(spec.metadata),
      memory: { '@_unit': 'MiB', '#text': spec.memoryMib },
      currentMemory: { '@_unit': 'MiB', '#text': spec.memoryMib },
      vcpu: spec.vcpus,
      sysinfo: sysinfo(spec),
      os: {
        ...(spec.firmware === 'uefi' ? { '@_firmware': 'efi' } : {}),
        type: { '@_arch': 'x86_64', '@_machine': 'q35', '#text': 'hvm' },
        boot: { '@_dev': 'hd' },
        smbios: { '@_mode': 'sysinfo' },
      },
      features: { acpi: '', apic: '' },
      cpu: processor(spec.virtType),
      clock: {
        '@_offset': 'utc',
        timer: [
          { '@_name': 'rtc', '@_tickpolicy': 'catchup' },
          { '@_name': 'hpet', '@_present': 'no' },
        ],
      },
      on_poweroff: 'destroy',
      on_reboot: spec.destroyOnReboot ? 'destroy' : 'restart',
      on_crash: 'destroy',
      devices: {
        disk: [bootDisk(spec)],
        interface: interfaces(spec),
        graphics: displays(spec, features),
        ...consoleDevices(),
        ...(features.usb ? {} : { redirdev: [] }),
      },
    },
  })
}

function sysinfo(spec: DomainSpec): Node {
  return {
    '@_type': 'smbios',
    system: {
      entry: [
        { '@_name': 'manufacturer', '#text': 'Berth' },
        { '@_name': 'serial', '#text': spec.serial },
        { '@_name': 'uuid', '#text': spec.uuid },
      ],
    },
  }
}

/** The processor of the built-in template. */
function processor(virtType: 'kvm' | 'qemu'): Node {
  return virtType === 'kvm'
    ? { '@_mode': 'host-passthrough', '@_check': 'none' }
    : {
        '@_mode': 'custom',
        '@_match': 'exact',
        '@_check': 'none',
        model: { '@_fallback': 'allow', '#text': 'qemu64' },
      }
}

export function processorOf(virtType: 'kvm' | 'qemu'): XmlElement {
  const parsed = parseTree(buildXml({ cpu: processor(virtType) }))
  if ('fault' in parsed) throw new Error(parsed.fault.message)
  return parsed.root
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

/** Throws `invalid_request` for a kind of network that only an XML of one's own can have. */
function interfaces({ network, mac }: DomainSpec): Node[] {
  if (network === 'none') return []
  const [type = '', ...rest] = network.split(':')
  const name = rest.join(':')
  const source = {
    network: { '@_network': name },
    bridge: { '@_bridge': name },
    direct: { '@_dev': name, '@_mode': 'bridge' },
  }[type]
  if (!source) throw refusal('card_kind_unknown', { kind: name })
  return [{ '@_type': type, mac: { '@_address': mac }, source, model: { '@_type': 'virtio' } }]
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
    // the keyboard is the PS/2 one that every q35 has: boot loaders and small kernels know it
    input: [{ '@_type': 'tablet', '@_bus': 'usb' }],
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

function metadata(values: DomainMetadata): Node {
  return {
    'berth:berth': {
      '@_xmlns:berth': METADATA_URI,
      ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`@_${name}`, value])),
    },
  }
}
