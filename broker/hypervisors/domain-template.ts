import { createHash } from 'node:crypto'
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
import type { DomainSpec } from './domain-spec.js'
import { patchTree, setMetadata, spiceOf } from './domain-patch.js'
import { isOurs, parseDomain, systemDisk, targetOf, writeDomain } from './domain-reading.js'

/**
 * The ticket of a display that nobody may open: expired before libvirt existed. Without a password
 * SPICE would let anybody in.
 */
export const CLOSED = { passwd: 'closed', passwdValidTo: '1970-01-01T00:00:01' }
/** Where libvirt keeps the firmware's variables of a domain, by its name. */
const NVRAM = '/var/lib/libvirt/qemu/nvram'
const SERIAL_BYTES = 20 // virtio-blk carries at most so many

/**
 * A machine of its own made from a domain XML of somebody's own; pure. What may belong to one
 * machine only is this machine's.
 */
export function instanceOf(template: string, spec: DomainSpec): string {
  const domain = parseDomain(template)
  delete domain.attributes['id']
  ownName(domain, spec)
  ownFirmware(domain, spec)
  ownDisk(domain, spec)
  ownCards(domain, spec)
  ownSockets(domain)
  patchTree(domain, {
    virtType: spec.virtType,
    memoryMib: spec.memoryMib,
    vcpus: spec.vcpus,
    network: spec.network,
    mac: spec.mac,
    disk: spec.disk,
    transient: spec.transient,
    destroyOnReboot: spec.destroyOnReboot,
  })
  ownDisplays(domain, spec)
  if (spec.features) patchTree(domain, { features: spec.features })
  setMetadata(domain, spec.metadata)
  return writeDomain(domain)
}

function ownName(domain: XmlElement, spec: DomainSpec): void {
  setText(domain, 'name', spec.name)
  setText(domain, 'uuid', spec.uuid)
  remove(domain, (child) => child.name === 'hwuuid')
  const genid = at(domain, 'genid')
  if (genid) genid.children = [derived(spec, 'genid')]
  remove(ensure(domain, 'metadata'), isOurs)
  const smbios =
    elementsOf(domain, 'sysinfo').find((one) => attribute(one, 'type') === 'smbios') ??
    newSysinfo(domain)
  for (const part of ['baseBoard', 'chassis'])
    for (const entry of elementsOf(at(smbios, part), 'entry'))
      if (attribute(entry, 'name') === 'serial') entry.children = [spec.serial]
  const system = ensure(smbios, 'system')
  entryOf(system, 'manufacturer').children = ['Berth']
  entryOf(system, 'serial').children = [spec.serial]
  entryOf(system, 'uuid').children = [spec.uuid]
  ensure(ensure(domain, 'os'), 'smbios').attributes['mode'] = 'sysinfo'
  setText(domain, 'on_poweroff', 'destroy')
  setText(domain, 'on_crash', 'destroy')
}

function newSysinfo(domain: XmlElement): XmlElement {
  const made = element('sysinfo', { type: 'smbios' })
  domain.children.push(made)
  return made
}

function entryOf(parent: XmlElement, name: string): XmlElement {
  const known = elementsOf(parent, 'entry').find((entry) => attribute(entry, 'name') === name)
  if (known) return known
  const made = element('entry', { name })
  parent.children.push(made)
  return made
}

/** Variables of its own: libvirt makes them from the template that it, or the XML, names. */
function ownFirmware(domain: XmlElement, spec: DomainSpec): void {
  const nvram = at(domain, 'os', 'nvram')
  if (!nvram) return
  delete nvram.attributes['type']
  nvram.children = [`${NVRAM}/${spec.name}_VARS.fd`]
}

function ownDisk(domain: XmlElement, spec: DomainSpec): void {
  const disk = systemDisk(domain)
  if (!disk) return
  const serial = at(disk, 'serial')
  if (serial) serial.children = [spec.serial.slice(0, SERIAL_BYTES)]
}

function ownCards(domain: XmlElement, spec: DomainSpec): void {
  elementsOf(at(domain, 'devices'), 'interface').forEach((card, index) => {
    ensure(card, 'mac').attributes['address'] = index === 0 ? spec.mac : derivedMac(spec, index)
    for (const target of elementsOf(card, 'target')) delete target.attributes['dev']
    remove(card, (child) => child.name === 'target' && Object.keys(child.attributes).length === 0)
    for (const parameters of elementsOf(at(card, 'virtualport'), 'parameters'))
      delete parameters.attributes['interfaceid']
    delete at(card, 'source')?.attributes['portid']
  })
}

/** Sockets and numbers that libvirt chooses for each machine when none is given. */
function ownSockets(domain: XmlElement): void {
  const devices = ensure(domain, 'devices')
  for (const channel of elementsOf(devices, 'channel'))
    if (
      attribute(channel, 'type') === 'unix' &&
      attribute(at(channel, 'source'), 'mode') !== 'connect'
    )
      remove(channel, (child) => child.name === 'source')
  for (const device of elementsOf(devices))
    if (attribute(device, 'type') === 'pty') {
      delete device.attributes['tty']
      remove(device, (child) => child.name === 'source')
    }
  const cid = at(devices, 'vsock', 'cid')
  if (cid) cid.attributes = { auto: 'yes' }
}

/** Of displays there are SPICE by TLS with a ticket, and VNC on a socket; whatever else listens goes. */
function ownDisplays(domain: XmlElement, spec: DomainSpec): void {
  const devices = ensure(domain, 'devices')
  const spice = spiceOf(domain) ?? element('graphics', { type: 'spice', keymap: 'en-us' })
  const { keymap } = spice.attributes
  spice.attributes = {
    type: 'spice',
    autoport: 'yes',
    defaultMode: 'secure',
    ...(keymap === undefined ? {} : { keymap }),
    ...CLOSED,
  }
  remove(spice, (child) => child.name === 'listen' || child.name === 'channel')
  spice.children.unshift(element('listen', { type: 'address', address: spec.listen }))
  const vnc = element('graphics', { type: 'vnc' }, [element('listen', { type: 'socket' })])
  remove(
    devices,
    (child) => child.name === 'graphics' && attribute(child, 'type') !== 'egl-headless',
  )
  devices.children.push(spice, vnc)
}

/** The same for a machine every time, and another for every other machine. */
function digest(spec: DomainSpec, what: string): Buffer {
  return createHash('sha256').update(`${spec.uuid}/${what}`).digest()
}

function derived(spec: DomainSpec, what: string): string {
  const hex = digest(spec, what).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** A locally administered MAC of 46 bits that nobody has drawn. */
function derivedMac(spec: DomainSpec, index: number): string {
  const bytes = [...digest(spec, `card ${index}`).subarray(0, 6)]
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 2
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/**
 * Throws `invalid_request` and names everything in a domain XML that cannot belong to several
 * machines, nor be made each one's own.
 */
export function refuseShared(template: string): void {
  const domain = parseDomain(template)
  const devices = elementsOf(at(domain, 'devices'))
  const shared = [
    ...firmwareShared(domain),
    ...disksShared(domain),
    ...devices.flatMap(deviceShared),
    ...elementsOf(domain, 'qemu:commandline')
      .flatMap((line) => elementsOf(line, 'qemu:arg'))
      .filter((arg) => /[/:]|port|path/.test(attribute(arg, 'value')))
      .map((arg) => `the QEMU argument ${attribute(arg, 'value')}`),
  ]
  if (shared.length > 0) throw refusal('domain_xml_shared', { parts: shared })
}

function firmwareShared(domain: XmlElement): string[] {
  const nvram = at(domain, 'os', 'nvram')
  const loader = at(domain, 'os', 'loader')
  const kind = attribute(nvram, 'type')
  return [
    ...(kind === '' || kind === 'file' ? [] : [`the NVRAM on ${kind}`]),
    ...(attribute(loader, 'type') === 'pflash' && attribute(loader, 'readonly') === 'no'
      ? [`the writable firmware ${textIn(loader)}`]
      : []),
  ]
}

function disksShared(domain: XmlElement): string[] {
  const system = systemDisk(domain)
  return elementsOf(at(domain, 'devices'), 'disk')
    .filter(
      (disk) =>
        disk !== system &&
        attribute(disk, 'device') !== 'cdrom' &&
        at(disk, 'source') !== undefined &&
        at(disk, 'readonly') === undefined,
    )
    .map((disk) => `the writable disk ${targetOf(disk)}`)
}

/** Character devices, by their kinds; what libvirt makes for each machine by itself is not named. */
const CHARACTER = ['serial', 'parallel', 'console', 'channel', 'smartcard', 'redirdev', 'rng']
const FIXED = ['tcp', 'udp', 'file', 'pipe', 'dev', 'dbus', 'unix']
const CARDS = ['network', 'bridge', 'direct', 'user', 'internal', 'ethernet']

function deviceShared(device: XmlElement): string[] {
  const type = attribute(device, 'type')
  switch (device.name) {
    case 'hostdev':
      return [`the host device (${`${type} ${attribute(device, 'mode')}`.trim()})`]
    case 'filesystem':
      return filesystemShared(device)
    case 'interface':
      return cardShared(device)
    case 'tpm':
      return tpmShared(device)
    case 'shmem':
      return [`the shared memory ${attribute(device, 'name')}`]
    case 'memory':
      return memoryShared(device)
    case 'lease':
    case 'pstore':
      return [`the ${device.name}`]
    case 'audio':
      return type === 'file' ? ['the sound file'] : []
    default:
      return CHARACTER.includes(device.name) ? characterShared(device, type) : []
  }
}

function filesystemShared(filesystem: XmlElement): string[] {
  return at(filesystem, 'readonly') ? [] : [`the writable directory ${targetDir(filesystem)}`]
}

function memoryShared(module: XmlElement): string[] {
  const path = textIn(at(module, 'source', 'path'))
  return path === '' ? [] : [`the memory module on ${path}`]
}

function targetDir(filesystem: XmlElement): string {
  const source = at(filesystem, 'source')
  return attribute(source, 'dir') || attribute(source, 'file') || attribute(source, 'dev') || '?'
}

function cardShared(card: XmlElement): string[] {
  const mac = attribute(at(card, 'mac'), 'address')
  const address = elementsOf(at(card, 'filterref'), 'parameter').find((one) =>
    ['IP', 'IPV6'].includes(attribute(one, 'name')),
  )
  return [
    ...(CARDS.includes(attribute(card, 'type'))
      ? []
      : [`the network card ${mac} (${attribute(card, 'type')})`]),
    ...(address ? [`the address ${attribute(address, 'value')} in a network filter`] : []),
    ...(at(card, 'ip') ? [`the address of the network card ${mac}`] : []),
  ]
}

function tpmShared(tpm: XmlElement): string[] {
  const backend = at(tpm, 'backend')
  const type = attribute(backend, 'type')
  if (type !== 'emulator') return [`the TPM (${type})`]
  return at(backend, 'source') ? ['the state of the TPM'] : []
}

function characterShared(device: XmlElement, type: string): string[] {
  const log = attribute(at(device, 'log'), 'file')
  const named =
    attribute(at(device, 'source'), 'path') || attribute(at(device, 'source'), 'service')
  const owned = device.name === 'channel' && type === 'unix' // libvirt chooses its path
  return [
    ...(log === '' ? [] : [`the log ${log}`]),
    ...(FIXED.includes(type) && !owned
      ? [`the ${device.name} on ${type}${named === '' ? '' : ` ${named}`}`]
      : []),
    ...(type === 'host' && device.name === 'smartcard' ? ['the smartcard of the host'] : []),
  ]
}
