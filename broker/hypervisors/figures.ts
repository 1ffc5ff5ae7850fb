import type { Hypervisor } from '../api/hypervisors.js'
import type { Queries } from '../store/open.js'

/** By the host's name; a host without machines, or that is not emptied, is missing. */
export interface HostFigures {
  readonly machines: ReadonlyMap<string, number>
  readonly drains: ReadonlyMap<string, NonNullable<Hypervisor['drain']>>
}

/** What is counted for a list of hosts, in two questions however many there are. `name`: of this one only. */
export async function figuresOfHosts(queries: Queries, name?: string): Promise<HostFigures> {
  const counts = await queries
    .selectFrom('machine')
    .select((eb) => ['hypervisor', eb.fn.countAll<number>().as('count')])
    .$if(name !== undefined, (q) => q.where('hypervisor', '=', name ?? ''))
    .groupBy('hypervisor')
    .execute()
  const drains = await queries
    .selectFrom('drain')
    .select(['hypervisor', 'empty_at'])
    .$if(name !== undefined, (q) => q.where('hypervisor', '=', name ?? ''))
    .execute()
  return {
    machines: new Map(counts.map(({ hypervisor, count }) => [hypervisor, Number(count)])),
    drains: new Map(
      drains.map((row) => [row.hypervisor, row.empty_at === null ? 'draining' : 'empty']),
    ),
  }
}
