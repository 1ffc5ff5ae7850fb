import type { Static } from '@sinclair/typebox'
import type { ForeignDomain, MachineAdopt, MachineType } from '../api/machines.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import { parseDomainXml } from '../hypervisors/domain-xml.js'
import { inTransaction } from '../store/transaction.js'
import type { NewMachine } from '../store/tables.js'
import { adoptedDisk, notesOn, refuseUnmanaged } from './adoption.js'
import { insertMachine } from './creating.js'
import { freeMac } from './macs.js'
import type { OrderDeps } from './ordering.js'
import { parentFor } from './parents.js'

/** Domains of a host that Berth does not know. */
export async function foreignDomains(
  { store, hypervisors }: Pick<OrderDeps, 'store' | 'hypervisors'>,
  hypervisor: string,
): Promise<Array<Static<typeof ForeignDomain>>> {
  const domains = await hypervisors.link(hypervisor).listDomains()
  const known = await store
    .selectFrom('machine')
    .select('id')
    .where('hypervisor', '=', hypervisor)
    .execute()
  return domains
    .filter((domain) => !known.some(({ id }) => id === domain.uuid))
    .map(({ name, power }) => ({ hypervisor, name, power }))
}

/** Records a domain of a host as a machine; the domain stays as it is. */
export async function adoptDomain(
  { store, hypervisors }: Pick<OrderDeps, 'store' | 'hypervisors'>,
  wish: MachineAdopt,
  by: Actor,
): Promise<{ id: string; notes: string[] }> {
  const link = hypervisors.link(wish.hypervisor)
  const domains = await link.listDomains()
  if (!domains.some((domain) => domain.name === wish.name))
    throw refusal('domain_not_offered', { hypervisor: wish.hypervisor, machine: wish.name })
  const xml = await link.domainXml(wish.name)
  const domain = parseDomainXml(xml)
  const type = wish.type ?? 'simple'
  const disk = await adoptedDisk(link, domain.diskSource)
  refuseUnmanaged(wish.name, disk.disk, type)
  const notes = notesOn(wish.name, domain, disk)
  const row = adoptedRow(wish.hypervisor, type, domain, xml, disk.disk)
  await inTransaction(store, async (tx) => {
    const parent = await parentFor(tx, type, wish.parent)
    const mac = domain.mac || (await freeMac(tx))
    await insertMachine(tx, { ...row, mac, parent_id: parent?.id ?? null }, [mac, ...domain.macs])
    await recordEvent(tx, by, 'machine.adopt', `machine:${row.name}`, {
      hypervisor: wish.hypervisor,
      type,
      ...(notes.length === 0 ? {} : { notes }),
    })
  })
  return { id: row.id, notes }
}

function adoptedRow(
  hypervisor: string,
  type: MachineType,
  domain: ReturnType<typeof parseDomainXml>,
  xml: string,
  disk: string | null,
): Omit<NewMachine, 'mac'> & { id: string; name: string } {
  return {
    id: domain.uuid,
    name: domain.name,
    type,
    hypervisor,
    parent_id: null,
    disk,
    generation_id: null,
    wanted_generation_id: null,
    discard_changes: domain.transient ? 1 : 0,
    discard_on_reboot: domain.destroyOnReboot ? 1 : 0,
    memory_mib: domain.memoryMib,
    vcpus: domain.vcpus,
    network: domain.network,
    firmware: domain.firmware,
    serial: domain.serial || domain.name,
    domain_xml: xml,
    adopted: 1,
    power_since: Date.now(),
    wanted_power: null,
    created_at: Date.now(),
  }
}
