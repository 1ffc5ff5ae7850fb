import type { Desktop } from '../api/assignments.js'
import type { DesktopState } from '../api/pools.js'
import type { PowerState } from '../api/machines.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Observer } from '../machines/observer.js'
import { reasonInUse } from '../occupancy/policy.js'
import { poolById } from '../pools/store.js'
import type { Use } from '../occupancy/occupancy.js'
import type { Store } from '../store/open.js'
import { compareNames } from '../natural-order.js'
import type { MachineFacts } from './policy.js'

export interface FactsDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly releaseAfterMs: number
  readonly now: () => number
  readonly desktops: () => Promise<Desktop[]>
}

/** A machine on the host with what a drain has to know of it. `poolId`: of the pool that built it. */
export interface Seen extends MachineFacts {
  readonly id: string
  readonly poolId: string | null
  readonly pool: string | null
  readonly held: Desktop | null
}

/** Every machine on the host, by name. */
export async function machinesOn(deps: FactsDeps, hypervisor: string): Promise<Seen[]> {
  const { store, observer, now, releaseAfterMs } = deps
  const rows = await store
    .selectFrom('machine')
    .leftJoin('desktop', 'desktop.machine_id', 'machine.id')
    .leftJoin('job_lock', 'job_lock.machine_id', 'machine.id')
    .leftJoin('pool_member', (join) =>
      join.onRef('pool_member.machine_id', '=', 'machine.id').on('pool_member.built', '=', 1),
    )
    .leftJoin('pool', 'pool.id', 'pool_member.pool_id')
    .select([
      'machine.id',
      'machine.name',
      'machine.type',
      'machine.power',
      'desktop.state',
      'desktop.unclean',
      'desktop.last_holder',
      'job_lock.job_id',
      'pool.id as pool_id',
      'pool.name as pool',
    ])
    .where('machine.hypervisor', '=', hypervisor)
    .execute()
  const assignments = new Map(
    (await store.selectFrom('assignment').selectAll().execute()).map((row) => [
      row.machine_id,
      row,
    ]),
  )
  const desktops = new Map((await deps.desktops()).map((desktop) => [desktop.machine, desktop]))
  const places = new Map<string, boolean>()
  for (const id of new Set(rows.map((row) => row.pool_id)))
    if (id !== null) places.set(id, await hasPlaceElsewhere(deps, id, hypervisor))
  return rows
    .map((row): Seen => {
      const assigned = assignments.get(row.id) ?? null
      const held = desktops.get(row.name) ?? null
      const { power, use } = powerAndUse(observer, row)
      const inUse = reasonInUse(assigned, use, power, now(), releaseAfterMs)
      return {
        id: row.id,
        name: row.name,
        type: row.type,
        power: row.power,
        job: row.job_id,
        inUse,
        unknown: observer.occupancy.unknown(row.id),
        holder: inUse === null ? null : (held?.holder ?? null),
        kept: assigned !== null && (assigned.fixed === 1 || assigned.pool_id === null),
        desktop: row.state,
        movable: movableOf(row, places),
        poolId: row.pool_id,
        pool: row.pool ?? held?.pool ?? null,
        held,
      }
    })
    .sort((a, b) => compareNames(a.name, b.name))
}

/** Domains that run there and are not Berth's: they go off with the host too. null: the host does not say. */
export async function othersOn(
  { store, hypervisors }: Pick<FactsDeps, 'store' | 'hypervisors'>,
  hypervisor: string,
): Promise<string[] | null> {
  const link = hypervisors.link(hypervisor)
  if (link.status().state !== 'up') return null
  const rows = await store
    .selectFrom('machine')
    .select('id')
    .where('hypervisor', '=', hypervisor)
    .execute()
  const known = new Set(rows.map(({ id }) => id))
  const domains = await link.listDomains().catch(() => null)
  if (domains === null) return null
  return domains
    .filter(({ uuid, power }) => !known.has(uuid) && power !== 'off' && power !== 'crashed')
    .map(({ name }) => name)
    .sort()
}

/** Of a machine whose host is away the step says so. */
function powerAndUse(
  { occupancy }: Observer,
  { id, power }: { readonly id: string; readonly power: PowerState },
): { power: PowerState; use: Use } {
  return power === 'unknown'
    ? { power: 'running', use: { viewers: occupancy.viewers(id), unknown: null } }
    : { power, use: occupancy.use(id) }
}

type Movable = MachineFacts['movable']

/** `places`: whether each pool may build its members elsewhere. */
function movableOf(
  row: {
    readonly pool_id: string | null
    readonly last_holder: string | null
    readonly unclean: string | null
    readonly state: DesktopState | null
  },
  places: ReadonlyMap<string, boolean>,
): Movable {
  if (row.pool_id === null) return null
  const isKept = row.last_holder !== null && row.unclean !== null && row.state === 'free'
  if (isKept) return 'last-holder'
  return places.get(row.pool_id) === true ? 'yes' : 'no-place'
}

/** Whether a pool may build its members on another host that is up. One that is being deleted builds nothing. */
async function hasPlaceElsewhere(
  { store, hypervisors }: FactsDeps,
  poolId: string,
  hypervisor: string,
): Promise<boolean> {
  const pool = await poolById(store, poolId)
  if (!pool || pool.state !== 'active') return false
  const allowed = JSON.parse(pool.hypervisors) as string[]
  return hypervisors
    .names()
    .some(
      (name) =>
        name !== hypervisor &&
        (allowed.length === 0 || allowed.includes(name)) &&
        hypervisors.row(name).maintenance === 0 &&
        hypervisors.link(name).status().state === 'up',
    )
}
