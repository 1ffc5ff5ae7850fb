import type { Queries } from '../store/open.js'

/** A host on which desktops can be started now, and how full it is: 0 empty, 1 full. */
export interface HostLoad {
  readonly hypervisor: string
  readonly load: number
}

export interface Candidate {
  readonly machine_id: string
  readonly name: string
  readonly hypervisor: string
  readonly fresh: number
  readonly used_at: number
  readonly running: number
}

/**
 * The order in which free desktops are given: clean and never used, then the longest unused, then
 * those already running, then the less loaded host, then the name. A total order: no two desktops
 * are equal in it.
 */
export function compareCandidates(
  a: Candidate,
  b: Candidate,
  loads: ReadonlyMap<string, number>,
): number {
  return (
    b.fresh - a.fresh ||
    a.used_at - b.used_at ||
    b.running - a.running ||
    (loads.get(a.hypervisor) ?? 1) - (loads.get(b.hypervisor) ?? 1) ||
    (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  )
}

/**
 * The best free desktop of a pool on these hosts. The first question finds what is best apart from
 * the hosts, the next ones the least loaded host that has it; one index answers them, so that the
 * size of the pool costs nothing. `claimable` 1: clean ones; 2: those that are cleaned first.
 */
export async function bestCandidate(
  queries: Queries,
  poolId: string,
  hosts: readonly HostLoad[],
  claimable: 1 | 2,
  except: readonly string[] = [],
): Promise<Candidate | null> {
  if (hosts.length === 0) return null
  const free = queries
    .selectFrom('pool_member')
    .select(['machine_id', 'name', 'hypervisor', 'fresh', 'used_at', 'running'])
    .where('pool_id', '=', poolId)
    .where('claimable', '=', claimable)
    .$if(except.length > 0, (q) => q.where('machine_id', 'not in', [...except]))
    .limit(1)
  const first = await free
    .where(
      'hypervisor',
      'in',
      hosts.map((host) => host.hypervisor),
    )
    .orderBy('fresh', 'desc')
    .orderBy('used_at')
    .orderBy('running', 'desc')
    .executeTakeFirst()
  if (!first) return null
  const alike = free
    .where('fresh', '=', first.fresh)
    .where('used_at', '=', first.used_at)
    .where('running', '=', first.running)
  for (const group of byLoad(hosts)) {
    const found = await Promise.all(
      group.map(
        async (hypervisor) =>
          await alike.where('hypervisor', '=', hypervisor).orderBy('name').executeTakeFirst(),
      ),
    )
    const [best] = found
      .filter((one) => one !== undefined)
      .sort((a, b) => compareCandidates(a, b, new Map()))
    if (best) return best
  }
  return null
}

/** Hosts in groups of equal load, the emptiest first. */
function byLoad(hosts: readonly HostLoad[]): string[][] {
  const groups = new Map<number, string[]>()
  for (const { hypervisor, load } of hosts)
    groups.set(load, [...(groups.get(load) ?? []), hypervisor])
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group)
}
