import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import {
  type DesktopFeatures,
  type DomainMetadata,
  type DomainSpec,
  domainXml,
} from '../hypervisors/domain-xml.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { BatchItem } from '../hypervisors/helper-channel.js'
import { BrokerError } from '../errors.js'
import type { Queries } from '../store/open.js'
import type { HypervisorRow, MachineRow } from '../store/tables.js'

/** Where vda lies: sources and simple machines have a disk of their own among the images, the others an overlay. */
export function diskOf(
  machine: Pick<MachineRow, 'type' | 'name'>,
  hypervisor: HypervisorRow,
): string {
  const directory =
    machine.type === 'vdi' || machine.type === 'initial'
      ? hypervisor.overlays_dir
      : hypervisor.images_dir
  return join(directory, `${machine.name}.qcow2`)
}

/** A locally administered MAC in QEMU's range 52:54:00 (https://wiki.libvirt.org/Networking.html). */
export function newMac(): string {
  return [
    '52',
    '54',
    '00',
    ...[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0')),
  ].join(':')
}

export function newMachineId(): string {
  return randomUUID()
}

/** What those who hand machines out add to a domain: what stands in its metadata, and what a viewer may do. */
export interface DomainExtras {
  readonly metadata?: DomainMetadata
  readonly features?: DesktopFeatures
}
export type DomainExtrasOf = (machine: MachineRow) => Promise<DomainExtras>

/** What libvirt is told of a machine. */
export function specOf(
  machine: MachineRow,
  hypervisor: HypervisorRow,
  virtType: 'kvm' | 'qemu',
  extras: DomainExtras = {},
): DomainSpec {
  const disk = machine.disk ?? diskOf(machine, hypervisor)
  const transient = machine.discard_changes === 1
  return {
    name: machine.name,
    uuid: machine.id,
    virtType,
    memoryMib: machine.memory_mib,
    vcpus: machine.vcpus,
    firmware: machine.firmware,
    network: machine.network,
    mac: machine.mac,
    serial: machine.serial,
    listen: listenAddress(hypervisor.display_address),
    template: machine.domain_xml,
    // libvirt puts the throw-away layer beside the path that the XML names: a link in the transient directory brings it there.
    disk:
      transient && machine.type === 'vdi'
        ? join(hypervisor.transient_dir, `${machine.name}.qcow2`)
        : disk,
    transient,
    destroyOnReboot: machine.discard_on_reboot === 1,
    metadata: extras.metadata ?? {},
    ...(extras.features ? { features: extras.features } : {}),
  }
}

/** SPICE listens on the address that viewers are told; where that is a name, on all. */
function listenAddress(displayAddress: string): string {
  return /^[0-9.]+$|:/.test(displayAddress) ? displayAddress : '0.0.0.0'
}

/** Defines the domain anew from what the database says; safe to repeat, also while it runs (it takes effect at the next start). */
export async function defineMachine(
  deps: { store: Queries; hypervisors: Hypervisors; extrasOf: DomainExtrasOf },
  machineId: string,
): Promise<void> {
  const { store, hypervisors, extrasOf } = deps
  const machine = await store
    .selectFrom('machine')
    .selectAll()
    .where('id', '=', machineId)
    .executeTakeFirstOrThrow()
  const spec = specOf(
    machine,
    hypervisors.row(machine.hypervisor),
    hypervisors.virtType(machine.hypervisor),
    await extrasOf(machine),
  )
  await hypervisors.link(machine.hypervisor).defineDomain(domainXml(spec))
}

/** Throws the first failure of a batch. */
export function requireItems(hypervisor: string, items: readonly BatchItem[]): void {
  const failed = items.find((item) => !item.ok)
  if (failed)
    throw new BrokerError(
      'hypervisor_refused',
      `${hypervisor}: ${failed.name}: ${failed.error?.message ?? 'no reason given'}`,
    )
}
