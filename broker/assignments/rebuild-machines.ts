import { randomUUID } from 'node:crypto'
import { freeMac, ownerOf, takeMacs } from '../machines/macs.js'
import type { Queries } from '../store/open.js'
import type { Found, RebuildDeps, Result } from './rebuild-reading.js'

/** Restores machines, and the generations on which they stand. */
export class MachineRestore {
  constructor(
    readonly tx: Queries,
    readonly deps: RebuildDeps,
    readonly result: Result,
  ) {}

  async all(found: readonly Found[]): Promise<void> {
    for (const one of found) await this.#machine(one)
    for (const one of found) await this.#parent(one)
    for (const one of found) await this.#generations(one)
    for (const one of found) await this.#standsOn(one)
  }

  async #machine({ hypervisor, xml, domain, record }: Found): Promise<void> {
    const known = await this.tx
      .selectFrom('machine')
      .select('name')
      .where((eb) => eb.or([eb('id', '=', domain.uuid), eb('name', '=', domain.name)]))
      .executeTakeFirst()
    if (known) return
    const disk = record.type === 'vdi' || record.type === 'initial' ? null : record.disk
    const mac = domain.mac || record.mac || (await freeMac(this.tx))
    const twin = await ownerOf(this.tx, [mac, ...domain.macs])
    if (twin) this.#warnOfTwin(domain.name, twin)
    await this.tx
      .insertInto('machine')
      .values({
        id: domain.uuid,
        name: domain.name,
        type: record.type,
        hypervisor,
        parent_id: null,
        disk,
        generation_id: null,
        wanted_generation_id: null,
        maintenance: record.maintenance,
        maintenance_reason: record.maintenanceReason,
        discard_changes: domain.transient ? 1 : 0,
        discard_on_reboot: domain.destroyOnReboot ? 1 : 0,
        memory_mib: domain.memoryMib,
        vcpus: domain.vcpus,
        network: domain.network,
        firmware: domain.firmware,
        mac,
        serial: domain.serial || domain.name,
        domain_xml: record.ownXml ? xml : null,
        adopted: record.adopted,
        power_since: this.deps.now(),
        wanted_power: null,
        created_at: this.deps.now(),
      })
      .execute()
    if (!twin)
      await takeMacs(this.tx, { id: domain.uuid, name: domain.name }, [mac, ...domain.macs])
    this.result.machines.push(domain.name)
  }

  #warnOfTwin(name: string, twin: { readonly mac: string; readonly name: string }): void {
    this.result.warnings.push(
      `${name} has the MAC address ${twin.mac} of ${twin.name}: give one of them another with "virsh edit".`,
    )
  }

  async #parent({ domain, record }: Found): Promise<void> {
    if (record.parent === null) return
    const parent = await this.tx
      .selectFrom('machine')
      .select('id')
      .where('name', '=', record.parent)
      .executeTakeFirst()
    if (parent)
      await this.tx
        .updateTable('machine')
        .set({ parent_id: parent.id })
        .where('id', '=', domain.uuid)
        .where('parent_id', 'is', null)
        .execute()
    else
      this.result.warnings.push(
        `${domain.name} was made from ${record.parent}, which was not found.`,
      )
  }

  async #generations({ domain, record }: Found): Promise<void> {
    for (const one of record.generations) {
      const known = await this.tx
        .selectFrom('generation')
        .select('id')
        .where('initial_id', '=', domain.uuid)
        .where('number', '=', one.number)
        .executeTakeFirst()
      if (known) continue
      const id = randomUUID()
      await this.tx
        .insertInto('generation')
        .values({
          id,
          initial_id: domain.uuid,
          number: one.number,
          source_name: one.source,
          state: 'ready',
          current: one.current,
          file: one.file,
          bytes: one.bytes,
          virtual_bytes: one.virtualBytes,
          sha256: one.sha256,
          method: one.method,
          created_at: one.createdAt,
        })
        .execute()
      for (const hypervisor of one.on.filter((name) =>
        this.deps.hypervisors.names().includes(name),
      ))
        await this.tx
          .insertInto('generation_copy')
          .values({ generation_id: id, hypervisor })
          .execute()
      this.result.generations.push(`${domain.name} g${one.number}`)
    }
  }

  async #standsOn({ domain, record }: Found): Promise<void> {
    if (record.generation === null || record.type !== 'vdi') return
    const row = await this.tx
      .selectFrom('machine')
      .innerJoin('generation', 'generation.initial_id', 'machine.parent_id')
      .select('generation.id')
      .where('machine.id', '=', domain.uuid)
      .where('generation.number', '=', Number(record.generation.slice(1)))
      .executeTakeFirst()
    if (row)
      await this.tx
        .updateTable('machine')
        .set({ generation_id: row.id })
        .where('id', '=', domain.uuid)
        .where('generation_id', 'is', null)
        .execute()
  }
}
