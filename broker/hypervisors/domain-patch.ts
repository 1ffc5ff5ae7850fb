import { refusal } from '../errors/broker-error.js'
import {
  at,
  attribute,
  element,
  elementsOf,
  ensure,
  remove,
  setText,
  textIn,
  type XmlElement,
} from '../xml/tree.js'
import {
  type DomainMetadata,
  isOurs,
  METADATA_URI,
  networkOf,
  parseDomain,
  sourceOf,
  systemDisk,
  writeDomain,
  nameIn,
} from './domain-reading.js'
import { setMemory, setVcpus } from './domain-capacity.js'

/**
 * What is to be different in a domain that exists. What is absent stays as libvirt has it, and so
 * does what is that way already.
 */
export interface DomainPatch {
  readonly virtType?: 'kvm' | 'qemu'
  /** Attributes and model of the processor that goes with another virtType; absent: it keeps its own. */
  readonly processor?: XmlElement
  readonly memoryMib?: number
  readonly vcpus?: number
  /**
   * Of the first card: `network:NAME`, `bridge:NAME`, `direct:NAME` or `none`. A card that is
   * missing is made with `mac`.
   */
  readonly network?: string
  readonly mac?: string
  /** A qcow2 in the place of the system disk, on the same bus and with the same target. */
  readonly disk?: string
  readonly transient?: boolean
  readonly destroyOnReboot?: boolean
  /** The address on which the SPICE TLS port listens. */
  readonly listen?: string
  readonly features?: DesktopFeatures
  /** Whether USB channels that were taken away may come back; a domain that never had any keeps it that way. */
  readonly hasUsb?: boolean
  readonly metadata?: DomainMetadata
}

/** Enforced by QEMU's SPICE server, whatever a viewer asks for. */
export interface DesktopFeatures {
  readonly clipboard: boolean
  readonly fileTransfer: boolean
  readonly usb: boolean
}

/**
 * The domain with that changed and nothing else; pure. Throws `invalid_request` when something of
 * it cannot be changed safely.
 */
export function patchDomain(xml: string, patch: DomainPatch): string {
  const domain = parseDomain(xml)
  patchTree(domain, patch)
  return writeDomain(domain)
}

export function patchTree(domain: XmlElement, patch: DomainPatch): void {
  const { virtType, memoryMib, vcpus, network, disk, listen, features, metadata } = patch
  if (virtType !== undefined) setVirtType(domain, virtType, patch.processor)
  if (memoryMib !== undefined) setMemory(domain, memoryMib)
  if (vcpus !== undefined) setVcpus(domain, vcpus)
  if (network !== undefined) setNetwork(domain, network, patch.mac)
  if (disk !== undefined) setDisk(domain, disk)
  if (patch.transient !== undefined) setTransient(domain, patch.transient)
  if (patch.destroyOnReboot !== undefined) setOnReboot(domain, patch.destroyOnReboot)
  if (listen !== undefined) setListen(domain, listen)
  if (features !== undefined) setFeatures(domain, features, patch.hasUsb)
  if (metadata !== undefined) setMetadata(domain, metadata)
}

function setVirtType(domain: XmlElement, type: string, processor?: XmlElement): void {
  if (attribute(domain, 'type') === type) return
  domain.attributes['type'] = type
  if (!processor) return
  const kept = elementsOf(at(domain, 'cpu')).filter((one) =>
    ['topology', 'numa'].includes(one.name),
  )
  remove(domain, (child) => child.name === 'cpu')
  domain.children.push({ ...processor, children: [...processor.children, ...kept] })
}

/** Kinds of cards that are bound to something else than a network of the host. */
const MOVABLE = ['network', 'bridge', 'direct', 'user', 'internal']

function setNetwork(domain: XmlElement, network: string, mac = ''): void {
  const devices = ensure(domain, 'devices')
  const cards = elementsOf(devices, 'interface')
  const [card] = cards
  if (networkOf(card) === network) return
  if (card && !MOVABLE.includes(attribute(card, 'type')))
    throw refusal('domain_card_kind', { domain: nameIn(domain), kind: attribute(card, 'type') })
  if (network === 'none') {
    if (cards.length > 1)
      throw refusal('domain_several_cards', { domain: nameIn(domain), count: cards.length })
    remove(devices, (child) => child === card)
    return
  }
  const [type = '', name = ''] = splitOnce(network)
  if (type === 'other' || name === '')
    throw refusal('domain_network', { domain: nameIn(domain), network })
  const source = element('source', sourceAttributes(type, name))
  if (!card) {
    devices.children.push(
      element('interface', { type }, [
        element('mac', { address: mac }),
        source,
        element('model', { type: 'virtio' }),
      ]),
    )
    return
  }
  card.attributes['type'] = type
  // These belong to the network that it leaves.
  remove(card, (child) =>
    ['source', 'virtualport', 'vlan', 'target', 'backend', 'portForward'].includes(child.name),
  )
  card.children.push(source)
}

function splitOnce(text: string): [string, string] {
  const colon = text.indexOf(':')
  return colon === -1 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
}

function sourceAttributes(type: string, name: string): Record<string, string> {
  if (type === 'direct') return { dev: name, mode: 'bridge' }
  return type === 'bridge' ? { bridge: name } : { network: name }
}

function setDisk(domain: XmlElement, path: string): void {
  const disk = systemDisk(domain)
  if (!disk) {
    ensure(domain, 'devices').children.push(newDisk(path))
    return
  }
  const now = sourceOf(disk)
  if (now.kind === 'path' && now.path === path) return
  if (attribute(disk, 'device') === 'lun')
    throw refusal('domain_scsi_device', { domain: nameIn(domain) })
  disk.attributes['type'] = 'file'
  // These describe the disk that goes.
  remove(disk, (child) =>
    ['backingStore', 'mirror', 'auth', 'encryption', 'readonly', 'shareable', 'wwn'].includes(
      child.name,
    ),
  )
  const driver = ensure(disk, 'driver')
  driver.attributes['name'] = 'qemu'
  driver.attributes['type'] = 'qcow2'
  const source = ensure(disk, 'source')
  source.attributes = { file: path }
  source.children = []
}

function newDisk(path: string): XmlElement {
  return element('disk', { type: 'file', device: 'disk' }, [
    element('driver', { name: 'qemu', type: 'qcow2', discard: 'unmap' }),
    element('source', { file: path }),
    element('target', { dev: 'vda', bus: 'virtio' }),
  ])
}

function setTransient(domain: XmlElement, on: boolean): void {
  const disk = systemDisk(domain)
  if (!disk || (at(disk, 'transient') !== undefined) === on) return
  if (on) disk.children.push(element('transient'))
  else remove(disk, (child) => child.name === 'transient')
}

function setOnReboot(domain: XmlElement, destroy: boolean): void {
  const now = textIn(at(domain, 'on_reboot')) || 'restart'
  if ((now === 'destroy') !== destroy) setText(domain, 'on_reboot', destroy ? 'destroy' : 'restart')
}

export function spiceOf(domain: XmlElement): XmlElement | undefined {
  return elementsOf(at(domain, 'devices'), 'graphics').find(
    (display) => attribute(display, 'type') === 'spice',
  )
}

function setListen(domain: XmlElement, address: string): void {
  const spice = spiceOf(domain)
  if (!spice) return
  const listen = at(spice, 'listen')
  if (attribute(listen, 'type') === 'address' && attribute(listen, 'address') === address) return
  delete spice.attributes['listen'] // the older way to say the same
  remove(spice, (child) => child.name === 'listen')
  spice.children.unshift(element('listen', { type: 'address', address }))
}

/** https://libvirt.org/formatdomain.html#graphical-framebuffers */
function setFeatures(
  domain: XmlElement,
  { clipboard, fileTransfer, usb }: DesktopFeatures,
  hasUsb = false,
): void {
  const spice = spiceOf(domain)
  if (spice) {
    allow(spice, 'clipboard', 'copypaste', clipboard)
    allow(spice, 'filetransfer', 'enable', fileTransfer)
  }
  const devices = ensure(domain, 'devices')
  const redirected = elementsOf(devices, 'redirdev').filter(
    (device) => attribute(device, 'type') === 'spicevmc',
  )
  if (!usb) remove(devices, (child) => redirected.includes(child))
  else if (redirected.length === 0 && hasUsb) devices.children.push(...redirections())
}

const SPICE_USB_CHANNELS = 4
function redirections(): XmlElement[] {
  return Array.from({ length: SPICE_USB_CHANNELS }, () =>
    element('redirdev', { bus: 'usb', type: 'spicevmc' }),
  )
}

function allow(spice: XmlElement, name: string, key: string, on: boolean): void {
  const now = attribute(at(spice, name), key) !== 'no'
  if (now === on) return
  if (on) remove(spice, (child) => child.name === name)
  else ensure(spice, name).attributes[key] = 'no'
}

export function setMetadata(domain: XmlElement, values: DomainMetadata): void {
  const metadata = ensure(domain, 'metadata')
  const at = metadata.children.findIndex((child) => typeof child !== 'string' && isOurs(child))
  const ours = element('berth:berth', { 'xmlns:berth': METADATA_URI, ...values })
  metadata.children.splice(at === -1 ? metadata.children.length : at, at === -1 ? 0 : 1, ours)
}
