import type { PopulatePreview, PopulateRequest } from '../api/images.js'
import type { Actor } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { CopyInput } from '../images/copy-job.js'
import {
  copiesOf,
  generationName,
  listGenerations,
  requireGeneration,
  reserveGeneration,
} from '../images/store.js'
import { refuseIfLocked } from '../jobs/store.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Usage } from '../occupancy/usage.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { mapInTurns } from '../turn.js'
import { diskOf, newMachineId } from './definition.js'
import { toJobMachine } from './jobs.js'
import type { Observer } from './observer.js'
import { nameOf } from './parents.js'
import type { PopulateInput } from './populate-job.js'
import { childrenOf, requireType } from './store.js'
import type { GenerationRow, MachineRow } from '../store/tables.js'

export interface GoldenImagesDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly jobs: JobRunner
  readonly observer: Observer
  readonly usage: Usage
}

/** From a source's disk to the machines that stand on it: what callers may ask of images. */
export class GoldenImages {
  constructor(readonly deps: GoldenImagesDeps) {}

  /** *Copy disk from source*. Refuses while the source or the initial runs. */
  async copy(name: string, sourceName: string | undefined, by: Actor): Promise<string> {
    const initial = await requireType(this.deps.store, name, ['initial'])
    const given = sourceName ?? (await nameOf(this.deps.store, initial.parent_id))
    if (given === undefined) throw refusal('source_missing', { machine: name })
    const source = await requireType(this.deps.store, given, ['source', 'simple', 'vdi'])
    for (const machine of [source, initial]) await this.deps.observer.requireOff(machine.name)
    const job = await inTransaction(this.deps.store, async (tx) => {
      await refuseIfLocked(tx, [source.id, initial.id])
      const generation = await reserveGeneration(tx, initial, source.name, newMachineId())
      const homes = await tx
        .selectFrom('machine')
        .select('hypervisor')
        .distinct()
        .where('parent_id', '=', initial.id)
        .execute()
      const carryTo = [
        ...new Set([initial.hypervisor, ...homes.map((home) => home.hypervisor)]),
      ].filter((hypervisor) => hypervisor !== source.hypervisor)
      const input: CopyInput = {
        generation: { id: generation.id, initialId: initial.id, file: generation.file },
        source: {
          name: source.name,
          hypervisor: source.hypervisor,
          disk: source.disk ?? diskOf(source, this.deps.hypervisors.row(source.hypervisor)),
        },
        initial: { name: initial.name, hypervisor: initial.hypervisor },
        carryTo,
      }
      return await this.deps.jobs.create(
        tx,
        {
          kind: 'copy',
          subject: initial.name,
          input,
          targets: [initial.name, ...carryTo],
          locks: [source.id, initial.id],
        },
        by,
      )
    })
    return job
  }

  /**
   * *Populate machines*: all vdi machines of an initial, or those named (a renewal). Refuses while
   * the initial runs.
   */
  async populate(
    name: string,
    request: PopulateRequest,
    by: Actor,
    only?: readonly string[],
  ): Promise<string> {
    const initial = await requireType(this.deps.store, name, ['initial'])
    if (this.deps.hypervisors.link(initial.hypervisor).status().state === 'up')
      await this.deps.observer.requireOff(initial.name)
    const job = await inTransaction(this.deps.store, async (tx) => {
      const generation = await requireGeneration(tx, initial, request.generation)
      const rows = (await childrenOf(tx, initial.id)).filter(
        (row) => row.type === 'vdi' && (only?.includes(row.id) ?? true),
      )
      if (rows.length === 0) throw refusal('no_vdi_machines', { machine: name })
      const input = populateInput(initial, rows, generation, request)
      const holders = await copiesOf(tx, generation.id)
      const carryTo = [...new Set(rows.map((row) => row.hypervisor))].filter(
        (hypervisor) => !holders.includes(hypervisor),
      )
      return await this.deps.jobs.create(
        tx,
        {
          kind: 'populate',
          subject: initial.name,
          input,
          targets: [...carryTo, ...rows.map((row) => row.name)],
          locks: [...(only ? [] : [initial.id]), ...rows.map((row) => row.id)],
        },
        by,
      )
    })
    return job
  }

  /** What `populate` would do now, machine by machine; nothing is done. */
  async preview(name: string, wanted: string | undefined): Promise<PopulatePreview> {
    const { store, usage } = this.deps
    const initial = await requireType(store, name, ['initial'])
    const generation = await requireGeneration(store, initial, wanted)
    const rows = (await childrenOf(store, initial.id)).filter((row) => row.type === 'vdi')
    const generations = await store
      .selectFrom('generation')
      .select(['id', 'number'])
      .where('initial_id', '=', initial.id)
      .execute()
    const holders = await copiesOf(store, generation.id)
    const inUse = await usage.reasons(rows.map(({ id }) => id))
    const standOn = new Map(generations.map((one) => [one.id, one]))
    const machines = await mapInTurns(rows, (row): PopulatePreview['machines'][number] => {
      const standsOn = standOn.get(row.generation_id ?? '')
      return {
        machine: row.name,
        hypervisor: row.hypervisor,
        power: row.power,
        generation: standsOn ? generationName(standsOn) : null,
        inUse: inUse.get(row.id) ?? null,
      }
    })
    return {
      generation: generationName(generation),
      machines,
      carryTo: [...new Set(rows.map((row) => row.hypervisor))].filter(
        (hypervisor) => !holders.includes(hypervisor),
      ),
    }
  }

  async importImage(name: string, path: string, by: Actor): Promise<string> {
    const machine = await requireType(this.deps.store, name, ['simple', 'source'])
    if (machine.adopted === 1) throw refusal('adopted_keeps_disk', { machine: name })
    await this.deps.observer.requireOff(name)
    const job = await inTransaction(
      this.deps.store,
      async (tx) =>
        await this.deps.jobs.create(
          tx,
          {
            kind: 'import',
            subject: name,
            input: { machine: toJobMachine(machine), path },
            targets: [name],
            locks: [machine.id],
          },
          by,
        ),
    )
    return job
  }

  async generations(name: string) {
    return await listGenerations(
      this.deps.store,
      await requireType(this.deps.store, name, ['initial']),
    )
  }
}

function populateInput(
  initial: MachineRow,
  rows: readonly MachineRow[],
  generation: GenerationRow,
  request: PopulateRequest,
): PopulateInput {
  return {
    initial: { id: initial.id, name: initial.name },
    machines: rows.map(toJobMachine),
    force: request.force ?? false,
    start: request.start ?? false,
    generation: {
      id: generation.id,
      name: generationName(generation),
      file: generation.file,
      sha256: generation.sha256 ?? '',
      bytes: generation.bytes ?? 0,
    },
  }
}
