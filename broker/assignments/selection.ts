import type { Queries } from '../store/open.js'

/** A host on which desktops can be started now, and how full it is: 0 empty, 1 full. */
export interface HostLoad { readonly hypervisor: string, readonly load: number }

export interface Candidate { readonly machine_id: string, readonly name: string, readonly hypervisor: string, readonly fresh: number, readonly used_at: number, readonly running: number }

/**
 * The order in which free desktops are given: clean and never used, then the longest unused, then those already running, then the less loaded host, then
 * the name. A total order: no two desktops are equal in it.
 */
export function compareCandidates (a: Candidate, b: Candidate, loads: ReadonlyMap<string, number>): number {
  return b.fresh - a.fresh || a.used_at - b.used_at || b.running - a.running || (loads.get(a.hypervisor) ?? 1) - (loads.get(b.hypervisor) ?? 1) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
}

/** The best free desktop of a pool. Each host's best comes from one index, so that the size of the pool costs nothing. `claimable` 1: clean ones; 2: those that are cleaned first. */
export async function bestCandidate (queries: Queries, poolId: string, hosts: readonly HostLoad[], claimable: 1 | 2, except: readonly string[] = []): Promise<Candidate | null> {
  const loads = new Map(hosts.map(({ hypervisor, load }) => [hypervisor, load]))
  let best: Candidate | null = null
  for (const { hypervisor } of hosts) {
    const candidate = await queries.selectFrom('pool_member').select(['machine_id', 'name', 'hypervisor', 'fresh', 'used_at', 'running'])
      .where('pool_id', '=', poolId).where('claimable', '=', claimable).where('hypervisor', '=', hypervisor)
      .$if(except.length > 0, (q) => q.where('machine_id', 'not in', [...except]))
      .orderBy('fresh', 'desc').orderBy('used_at').orderBy('running', 'desc').orderBy('name').limit(1).executeTakeFirst()
    if (candidate && (best === null || compareCandidates(candidate, best, loads) < 0)) best = candidate
  }
  return best
}
