import { refusal } from '../errors/broker-error.js'
import {
  at,
  attribute,
  elementsOf,
  parseTree,
  textIn,
  writeTree,
  type XmlElement,
} from '../xml/tree.js'

export const METADATA_URI = 'https://berth.invalid/xmlns/1'

/** `record`: what a lost database is made from again, as JSON. */
export interface DomainMetadata {
  readonly pool?: string
  readonly generation?: string
  readonly assignment?: string
  readonly record?: string
}

/** Where a disk lies: a path of the host, a volume of one of libvirt's pools, or something that only QEMU opens. */
export type DiskSource =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'volume'; readonly pool: string; readonly volume: string }
  | { readonly kind: 'other'; readonly what: string }

/** What Berth reads from a domain that exists. Absent elements are settled here. */
export interface ParsedDomain {
  readonly name: string
  readonly uuid: string
  readonly memoryMib: number
  readonly vcpus: number
  readonly firmware: 'bios' | 'uefi'
  /** `network:NAME`, `bridge:NAME`, `direct:NAME` (macvtap), `other:TYPE`, or `none`; of the first card. */
  readonly network: string
  readonly mac: string
  /** Of all cards. */
  readonly macs: readonly string[]
  readonly serial: string
  /** The path of the system disk, or null when it has none. */
  readonly disk: string | null
  readonly diskSource: DiskSource | null
  readonly transient: boolean
  readonly destroyOnReboot: boolean
  readonly displays: readonly string[]
  /** Through which a viewer hands USB devices in. */
  readonly usbChannels: number
  /** Why it has no console as it is; empty: none that the definition shows. */
  readonly displayFaults: readonly string[]
}

/** Reads `dumpxml` output; throws `invalid_request` for anything else. */
export function parseDomainXml(xml: string): ParsedDomain {
  const domain = parseDomain(xml)
  const devices = at(domain, 'devices')
  const disk = systemDisk(domain)
  const cards = elementsOf(devices, 'interface')
  const diskSource = disk ? sourceOf(disk) : null
  const serial = elementsOf(at(domain, 'sysinfo', 'system'), 'entry').find(
    (entry) => attribute(entry, 'name') === 'serial',
  )
  return {
    name: textIn(at(domain, 'name')),
    uuid: textIn(at(domain, 'uuid')),
    memoryMib: mebibytesOf(at(domain, 'memory')),
    vcpus: Number(textIn(at(domain, 'vcpu')) || 1),
    firmware: isUefi(domain) ? 'uefi' : 'bios',
    network: networkOf(cards[0]),
    mac: attribute(at(cards[0], 'mac'), 'address'),
    macs: cards.map((card) => attribute(at(card, 'mac'), 'address')).filter((mac) => mac !== ''),
    serial: textIn(serial),
    disk: diskSource?.kind === 'path' ? diskSource.path : null,
    diskSource,
    transient: at(disk, 'transient') !== undefined,
    destroyOnReboot: textIn(at(domain, 'on_reboot')) === 'destroy',
    usbChannels: elementsOf(devices, 'redirdev').filter(
      (device) => attribute(device, 'type') === 'spicevmc',
    ).length,
    displays: elementsOf(devices, 'graphics').map((graphics) => attribute(graphics, 'type')),
    displayFaults: displayFaults(elementsOf(devices, 'graphics')),
  }
}

/** The tree of a domain; throws `invalid_request` with the place of the fault. */
export function parseDomain(xml: string): XmlElement {
  const parsed = parseTree(xml)
  if ('fault' in parsed)
    throw refusal('domain_xml_malformed', {
      line: parsed.fault.line,
      column: parsed.fault.column,
      said: parsed.fault.message,
    })
  if (parsed.root.name !== 'domain') throw refusal('domain_xml_without_domain')
  return parsed.root
}

export function writeDomain(domain: XmlElement): string {
  return writeTree(domain)
}

/** Whether two texts say the same: quotes, entities and space between elements aside. */
export function sameDefinition(one: string, other: string): boolean {
  return canonical(parseDomain(one)) === canonical(parseDomain(other))
}

/** Without the space between elements, and with attributes in one order. */
export function canonical(domain: XmlElement): string {
  return writeTree(tidied(domain))
}

function tidied({ name, attributes, children }: XmlElement): XmlElement {
  const hasElements = children.some((child) => typeof child !== 'string')
  return {
    name,
    attributes: Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))),
    children: children
      .filter((child) => typeof child !== 'string' || !hasElements || child.trim() !== '')
      .map((child) => (typeof child === 'string' ? child : tidied(child))),
  }
}

/** What Berth wrote into a domain; null when it wrote nothing. */
export function readMetadata(xml: string): DomainMetadata | null {
  const ours = elementsOf(at(parseDomain(xml), 'metadata')).find(isOurs)
  if (!ours) return null
  return Object.fromEntries(
    (['pool', 'generation', 'assignment', 'record'] as const)
      .filter((name) => ours.attributes[name] !== undefined)
      .map((name) => [name, attribute(ours, name)]),
  )
}

/** Whether an element of the metadata is Berth's, whatever its prefix is. */
export function isOurs(child: XmlElement): boolean {
  const prefix = child.name.includes(':') ? child.name.split(':')[0] : null
  return attribute(child, prefix === null ? 'xmlns' : `xmlns:${prefix}`) === METADATA_URI
}

function isUefi(domain: XmlElement): boolean {
  const os = at(domain, 'os')
  if (attribute(os, 'firmware') !== '') return attribute(os, 'firmware') === 'efi'
  const loader = at(os, 'loader')
  return loader !== undefined && (attribute(loader, 'type') === 'pflash' || textIn(loader) !== '')
}

/** From the one that firmware meets first: what a cloud image or an installer brings along comes on a slower bus. */
const BUSES = ['virtio', 'nvme', 'scsi', 'sata', 'ide', 'usb', 'fdc']

/**
 * The disk from which the guest starts: by its boot order, else the first that can be written, by
 * bus and target. Its place in the XML says nothing: an image with settings often stands before it.
 */
export function systemDisk(domain: XmlElement): XmlElement | undefined {
  const disks = elementsOf(at(domain, 'devices'), 'disk').filter((disk) =>
    ['', 'disk', 'lun'].includes(attribute(disk, 'device')),
  )
  return [...disks].sort(
    (a, b) =>
      bootOrder(a) - bootOrder(b) ||
      Number(isAside(a)) - Number(isAside(b)) ||
      busRank(a) - busRank(b) ||
      targetOf(a).length - targetOf(b).length ||
      (targetOf(a) < targetOf(b) ? -1 : 1),
  )[0]
}

function bootOrder(disk: XmlElement): number {
  return Number(attribute(at(disk, 'boot'), 'order') || Infinity) || Infinity
}

/** Read-only, or an image of a CD: nothing that a guest lives on. */
function isAside(disk: XmlElement): boolean {
  const source = sourceOf(disk)
  return (
    at(disk, 'readonly') !== undefined || (source.kind === 'path' && /\.iso$/i.test(source.path))
  )
}

function busRank(disk: XmlElement): number {
  const bus = attribute(at(disk, 'target'), 'bus') || busOfTarget(targetOf(disk))
  const rank = BUSES.indexOf(bus)
  return rank === -1 ? BUSES.length : rank
}

/** What libvirt assumes when no bus is named. */
function busOfTarget(target: string): string {
  return { vd: 'virtio', sd: 'scsi', hd: 'ide', fd: 'fdc' }[target.slice(0, 2)] ?? ''
}

export function targetOf(disk: XmlElement): string {
  return attribute(at(disk, 'target'), 'dev')
}

export function sourceOf(disk: XmlElement): DiskSource {
  const source = at(disk, 'source')
  const type = attribute(disk, 'type') || 'file'
  const path = { file: attribute(source, 'file'), block: attribute(source, 'dev') }[type] ?? ''
  if (path !== '') return { kind: 'path', path }
  if (type === 'volume')
    return {
      kind: 'volume',
      pool: attribute(source, 'pool'),
      volume: attribute(source, 'volume'),
    }
  const name = attribute(source, 'name')
  return {
    kind: 'other',
    what: `${attribute(source, 'protocol') || type}${name === '' ? '' : `:${name}`}`,
  }
}

export function networkOf(card: XmlElement | undefined): string {
  if (!card) return 'none'
  const source = at(card, 'source')
  const type = attribute(card, 'type')
  const name = {
    network: attribute(source, 'network'),
    bridge: attribute(source, 'bridge'),
    direct: attribute(source, 'dev'),
  }[type]
  return name === undefined || name === '' ? `other:${type}` : `${type}:${name}`
}

function displayFaults(displays: readonly XmlElement[]): string[] {
  const spice = displays.find((display) => attribute(display, 'type') === 'spice')
  const vnc = displays.find((display) => attribute(display, 'type') === 'vnc')
  const faults: string[] = []
  if (!spice) faults.push('it has no SPICE display, so there is no console in a viewer')
  else if (attribute(spice, 'passwd') === '')
    faults.push(
      'its SPICE display starts without a password, so whoever reaches that port sees the ' +
        'screen, and there is no console in a viewer',
    )
  if (!vnc || attribute(at(vnc, 'listen'), 'type') !== 'socket')
    faults.push('it has no VNC display on a socket, so there is no console in a browser')
  return faults
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
  tb: 1e12,
  t: 1_099_511_627_776,
  tib: 1_099_511_627_776,
}
/** https://libvirt.org/formatdomain.html#memory-allocation: the unit is KiB when none is given. */
export function mebibytesOf(size: XmlElement | undefined): number {
  const unit = UNITS[attribute(size, 'unit').toLowerCase() || 'kib'] ?? 1024
  return Math.round((Number(textIn(size) || 0) * unit) / 1_048_576)
}

/** What a sentence about a domain begins with. */
export function nameIn(domain: XmlElement): string {
  return textIn(at(domain, 'name')) || 'The domain'
}
