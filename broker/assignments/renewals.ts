import type { Logger } from 'pino'
import { BERTH } from '../audit/store.js'
import { BrokerError } from '../errors/broker-error.js'
import { generationName } from '../images/store.js'
import type { GoldenImages } from '../machines/golden-images.js'
import type { Usage } from '../occupancy/usage.js'
import type { Store } from '../store/open.js'
import type { Hosts } from './hosts.js'

export interface RenewalsDeps {
  readonly store: Store
  readonly goldenImages: GoldenImages
  readonly hosts: Hosts
  readonly usage: Usage
  readonly releaseAfterMs: number
  readonly log: Logger
}

/** Machines that were in use when their initial was populated move to the wanted generation once they are released. */
export async function renewReleased(deps: RenewalsDeps): Promise<void> {
  const rows = await deps.store
    .selectFrom('machine')
    .innerJoin('generation', 'generation.id', 'machine.wanted_generation_id')
    .innerJoin('machine as parent', 'parent.id', 'machine.parent_id')
    .leftJoin('job_lock', 'job_lock.machine_id', 'machine.id')
    .select([
      'machine.id',
      'machine.hypervisor',
      'machine.power',
      'parent.name as initial',
      'generation.number',
    ])
    .where('machine.wanted_generation_id', 'is not', null)
    .where('job_lock.job_id', 'is', null)
    .execute()
  const inUse = await deps.usage.reasons(rows.map(({ id }) => id))
  const free = rows.filter(({ id }) => !inUse.has(id))
  for (const row of free) {
    const settled =
      row.power === 'off'
        ? deps.hosts.isObserved(row.hypervisor)
        : deps.hosts.isMachineSettled(row, Math.min(deps.releaseAfterMs, deps.hosts.deps.graceMs))
    if (!settled) continue
    try {
      await deps.goldenImages.populate(row.initial, { generation: generationName(row) }, BERTH, [
        row.id,
      ])
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      deps.log.warn({ err: error, machine: row.id }, 'a released machine could not be renewed yet')
    }
  }
}
