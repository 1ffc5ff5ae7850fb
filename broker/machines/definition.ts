import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import {
  ALL_FEATURES,
  type DesktopFeatures,
  type DomainMetadata,
  type DomainSpec,
  domainXml,
  parseDomainXml,
  type DomainPatch,
  patchDomain,
  processorOf,
  sameDefinition,
} from '../hypervisors/domain-xml.js'
import { listenOf } from '../hypervisors/listen.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { DomainId } from '../hypervisors/hypervisor.js'
import type { BatchItem } from '../hypervisors/helper-channel.js'
import { refusal } from '../errors/broker-error.js'
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

/** Which domain a machine is. */
export function domainOf(machine: Pick<MachineRow, 'id' | 'name'>): DomainId {
  return { name: machine.name, uuid: machine.id }
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
    listen: listenOf(hypervisor),
    template: machine.domain_xml,
    // libvirt puts the throw-away layer beside the path that the XML names: a link in the transient
    // directory brings it there.
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

/** What somebody has asked to be different in a machine that exists. */
export const ASKED = ['memoryMib', 'vcpus', 'network', 'domainXml'] as const
export type Asked = (typeof ASKED)[number]

/**
 * The definition that a machine is to have; pure. Where it has one, as libvirt keeps it, only what
 * was asked is changed in that, and what Berth itself sees to: its disk, its display, its mark. A
 * domain that was there before Berth keeps its displays and its disk. Throws `invalid_request` for
 * what cannot be done.
 */
export function definitionFor(
  machine: MachineRow,
  spec: DomainSpec,
  current: string | null,
  asked: readonly Asked[],
): string {
  const template = machine.domain_xml
  if (machine.adopted === 1 && template !== null)
    return adoptedDefinition(machine, template, spec, current, asked)
  if (current === null || asked.includes('domainXml')) return domainXml(spec)
  return patchDomain(current, {
    virtType: spec.virtType,
    ...(template === null ? { processor: processorOf(spec.virtType) } : {}),
    ...hardwarePatch(spec, asked),
    disk: spec.disk,
    transient: spec.transient,
    destroyOnReboot: spec.destroyOnReboot,
    listen: spec.listen,
    features: spec.features ?? ALL_FEATURES,
    hasUsb: template === null || parseDomainXml(template).usbChannels > 0,
    metadata: spec.metadata,
  })
}

function adoptedDefinition(
  machine: MachineRow,
  template: string,
  spec: DomainSpec,
  current: string | null,
  asked: readonly Asked[],
): string {
  if (asked.includes('domainXml')) requireSameDomain(machine, template)
  const isFromTemplate = current === null || asked.includes('domainXml')
  return patchDomain(isFromTemplate ? template : current, {
    ...hardwarePatch(spec, isFromTemplate ? ASKED : asked),
    ...(machine.disk === null ? { disk: spec.disk } : {}),
    transient: spec.transient,
    destroyOnReboot: spec.destroyOnReboot,
  })
}

function hardwarePatch(spec: DomainSpec, asked: readonly Asked[]): DomainPatch {
  const { memoryMib, vcpus, network, mac } = spec
  return {
    ...(asked.includes('memoryMib') ? { memoryMib } : {}),
    ...(asked.includes('vcpus') ? { vcpus } : {}),
    ...(asked.includes('network') ? { network, mac } : {}),
  }
}

/**
 * An XML for a domain that was there before Berth is one of that domain: what it is called, and the
 * disk on which its system is.
 */
function requireSameDomain(machine: MachineRow, template: string): void {
  const { name, uuid, disk } = parseDomainXml(template)
  if (name !== machine.name || (uuid !== '' && uuid !== machine.id))
    throw refusal('domain_xml_of_other', {
      domain: name,
      uuid,
      machine: machine.name,
      machineUuid: machine.id,
    })
  if (machine.disk?.startsWith('/') === true && disk !== machine.disk)
    throw disk === null
      ? refusal('domain_xml_without_disk', { machine: machine.name, machineDisk: machine.disk })
      : refusal('domain_xml_other_disk', { disk, machine: machine.name, machineDisk: machine.disk })
}

/** What the host has of a machine and what it is to have. Nothing is changed. */
export async function plannedDefinition(
  deps: { hypervisors: Hypervisors; extrasOf: DomainExtrasOf },
  machine: MachineRow,
  asked: readonly Asked[],
): Promise<{ current: string | null; wanted: string }> {
  const { hypervisors, extrasOf } = deps
  const current = await hypervisors.link(machine.hypervisor).definition(domainOf(machine))
  const spec = specOf(
    machine,
    hypervisors.row(machine.hypervisor),
    hypervisors.virtType(machine.hypervisor),
    await extrasOf(machine),
  )
  return { current, wanted: definitionFor(machine, spec, current, asked) }
}

/** Defines the domain as the database says; safe to repeat, also while it runs (it takes effect at the next start). */
export async function defineMachine(
  deps: { store: Queries; hypervisors: Hypervisors; extrasOf: DomainExtrasOf },
  machineId: string,
  signal?: AbortSignal,
  asked: readonly Asked[] = [],
): Promise<void> {
  const machine = await deps.store
    .selectFrom('machine')
    .selectAll()
    .where('id', '=', machineId)
    .executeTakeFirstOrThrow()
  const { current, wanted } = await plannedDefinition(deps, machine, asked)
  if (signal?.aborted === true) throw refusal('job_cancelled')
  if (current === null || !sameDefinition(wanted, current))
    await deps.hypervisors.link(machine.hypervisor).defineDomain(wanted)
}

/** Throws the first failure of a batch. */
export function requireItems(hypervisor: string, items: readonly BatchItem[]): void {
  const failed = items.find((item) => !item.ok)
  if (failed)
    throw failed.error
      ? refusal('host_refused_item', { hypervisor, name: failed.name, said: failed.error.message })
      : refusal('host_gave_no_reason', { hypervisor, name: failed.name })
}
