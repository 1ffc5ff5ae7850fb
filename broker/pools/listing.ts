import type { Pool, PoolMember } from '../api/pools.js'
import { generationName } from '../images/store.js'
import type { Use } from '../occupancy/occupancy.js'
import type { Queries } from '../store/open.js'
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
  return await Promise.all(
    rows.map(async (row) => {
      const pool = readPool(row)
      const job = await queries
        .selectFrom('job')
        .select('id')
        .where('subject', '=', pool.name)
        .where('kind', 'in', ['pool-build', 'pool-remove'])
        .where('finished_at', 'is', null)
        .orderBy('created_at')
        .executeTakeFirst()
      const { waiting } = await queries
        .selectFrom('waiter')
        .select((eb) => eb.fn.countAll<number>().as('waiting'))
        .where('pool_id', '=', pool.id)
        .executeTakeFirstOrThrow()
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
        counts: await countStates(queries, pool.id),
        waiting: Number(waiting),
        generations: await shares(queries, pool.id),
        job: job?.id ?? null,
      }
    }),
  )
}

async function countStates(queries: Queries, poolId: string): Promise<Record<string, number>> {
  const rows = await queries
    .selectFrom('pool_member')
    .innerJoin('desktop', 'desktop.machine_id', 'pool_member.machine_id')
    .select((eb) => ['desktop.state', eb.fn.countAll<number>().as('count')])
    .where('pool_id', '=', poolId)
    .groupBy('desktop.state')
    .execute()
  return Object.fromEntries(rows.map((row) => [row.state, Number(row.count)]))
}

/** How many members stand on each generation. */
async function shares(queries: Queries, poolId: string): Promise<Pool['generations']> {
  const rows = await queries
    .selectFrom('pool_member')
    .innerJoin('machine', 'machine.id', 'pool_member.machine_id')
    .innerJoin('generation', 'generation.id', 'machine.generation_id')
    .select((eb) => [
      'generation.number',
      'generation.current',
      eb.fn.countAll<number>().as('members'),
    ])
    .where('pool_id', '=', poolId)
    .groupBy(['generation.number', 'generation.current'])
    .orderBy('generation.number', 'desc')
    .execute()
  return rows.map((row) => ({
    generation: generationName(row),
    members: Number(row.members),
    current: row.current === 1,
  }))
}

/** The members of a pool with who has them; in the order of their numbers. */
export async function listMembers(
  queries: Queries,
  pool: PoolWithPolicy,
  use: (machineId: string) => Use,
): Promise<PoolMember[]> {
  const rows = await queries
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
    .where('pool_member.pool_id', '=', pool.id)
    .execute()
  const instant = (ms: number): string => new Date(ms).toISOString()
  return rows
    .map((row): PoolMember => {
      const connected = use(row.id).viewers.length > 0
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
    })
    .sort((a, b) => a.machine.localeCompare(b.machine, 'en', { numeric: true }))
}
