import type { Pool, PoolMember } from '../api/pools.js'
import { generationName } from '../images/store.js'
import type { Use } from '../occupancy/occupancy.js'
import type { Queries } from '../store/open.js'
import { mapInTurns } from '../turn.js'
import { compareNames } from '../natural-order.js'
import { figuresOfPools } from './figures.js'
import { retentionEnd } from './policy.js'
import { type PoolWithPolicy, readPool } from './store.js'

/** Pools as the API shows them, sorted by name. */
export async function listPools(queries: Queries, filter: { id?: string }): Promise<Pool[]> {
  const rows = await queries
    .selectFrom('pool')
    .leftJoin('machine', 'machine.id', 'pool.initial_id')
    .selectAll('pool')
    .select('machine.name as initial')
    .$if(filter.id !== undefined, (q) => q.where('pool.id', '=', filter.id ?? ''))
    .orderBy('pool.name')
    .execute()
  const figures = await figuresOfPools(queries, filter.id)
  return await mapInTurns(rows, (row): Pool => {
    const pool = readPool(row)
    return {
      name: pool.name,
      namespace: pool.namespace,
      initial: row.initial,
      policy: pool.policy,
      size: pool.size,
      state: pool.state,
      maintenance: pool.maintenance === 1,
      maintenanceReason: pool.maintenance_reason,
      createdAt: new Date(pool.created_at).toISOString(),
      spares: pool.spares,
      counts: figures.counts.get(pool.id) ?? {},
      waiting: figures.waiting.get(pool.id) ?? 0,
      generations: figures.shares.get(pool.id) ?? [],
      job: figures.jobs.get(pool.name) ?? null,
    }
  })
}

/** The members of a pool with who has them; in the order of their numbers. */
export async function listMembers(
  queries: Queries,
  pool: PoolWithPolicy,
  use: (machineId: string) => Use,
): Promise<PoolMember[]> {
  const rows = await memberRows(queries, pool.id)
  const members = await mapInTurns(rows, (row) => toApi(row, use(row.id).viewers.length > 0))
  return members.sort((a, b) => compareNames(a.machine, b.machine))
}

type MemberRow = Awaited<ReturnType<typeof memberRows>>[number]

function memberRows(queries: Queries, poolId: string) {
  return queries
    .selectFrom('pool_member')
    .innerJoin('machine', 'machine.id', 'pool_member.machine_id')
    .innerJoin('desktop', 'desktop.machine_id', 'machine.id')
    .leftJoin('generation', 'generation.id', 'machine.generation_id')
    .leftJoin('assignment', 'assignment.machine_id', 'machine.id')
    .leftJoin('pool as holding', 'holding.id', 'assignment.pool_id')
    .select([
      'machine.id',
      'machine.name',
      'machine.hypervisor',
      'machine.power',
      'machine.maintenance',
      'machine.wanted_generation_id',
      'generation.number',
      'desktop.state',
      'desktop.reason',
      'desktop.since',
      'desktop.used_at',
      'pool_member.built',
      'assignment.holder',
      'assignment.idle_since',
      'assignment.fixed',
      'holding.policy as holding_policy',
    ])
    .where('pool_member.pool_id', '=', poolId)
    .execute()
}

function toApi(row: MemberRow, connected: boolean): PoolMember {
  const instant = (ms: number): string => new Date(ms).toISOString()
  const retention =
    row.holding_policy === null
      ? null
      : (JSON.parse(row.holding_policy) as { retention: string }).retention
  return {
    machine: row.name,
    hypervisor: row.hypervisor,
    state: row.state,
    reason: row.reason,
    since: instant(row.since),
    power: row.power,
    generation: row.number === null ? null : generationName({ number: row.number }),
    renewPending: row.wanted_generation_id !== null,
    holder: row.holder === null ? null : row.holder.replace(/^user:/, ''),
    connected,
    expiresAt:
      row.idle_since === null || retention === null || connected || row.fixed === 1
        ? null
        : instant(retentionEnd(retention, row.idle_since)),
    lastUsedAt: row.used_at === 0 ? null : instant(row.used_at),
    maintenance: row.maintenance === 1,
    built: row.built === 1,
  }
}
