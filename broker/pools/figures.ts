import type { Pool } from '../api/pools.js'
import { generationName } from '../images/store.js'
import type { Queries } from '../store/open.js'

/** By the pool's id; `jobs` by its name. What has none is missing. */
export interface PoolFigures {
  /** Members by state. */
  readonly counts: ReadonlyMap<string, Record<string, number>>
  readonly waiting: ReadonlyMap<string, number>
  /** How many members stand on each generation, the newest first. */
  readonly shares: ReadonlyMap<string, Pool['generations']>
  /** The job that builds or removes members; of several the oldest. */
  readonly jobs: ReadonlyMap<string, string>
}

/** What is counted for a list of pools, in a few questions however many there are. `id`: of this one only. */
export async function figuresOfPools(
  queries: Queries,
  id: string | undefined,
): Promise<PoolFigures> {
  return {
    counts: await countStates(queries, id),
    waiting: await countWaiting(queries, id),
    shares: await sharesOfGenerations(queries, id),
    jobs: await jobsOfPools(queries),
  }
}

async function countStates(
  queries: Queries,
  id: string | undefined,
): Promise<Map<string, Record<string, number>>> {
  const rows = await queries
    .selectFrom('pool_member')
    .innerJoin('desktop', 'desktop.machine_id', 'pool_member.machine_id')
    .select((eb) => ['pool_id', 'desktop.state', eb.fn.countAll<number>().as('count')])
    .$if(id !== undefined, (q) => q.where('pool_id', '=', id ?? ''))
    .groupBy(['pool_id', 'desktop.state'])
    .execute()
  const counts = new Map<string, Record<string, number>>()
  for (const { pool_id: pool, state, count } of rows) {
    const own = counts.get(pool) ?? {}
    own[state] = Number(count)
    counts.set(pool, own)
  }
  return counts
}

async function countWaiting(
  queries: Queries,
  id: string | undefined,
): Promise<Map<string, number>> {
  const rows = await queries
    .selectFrom('waiter')
    .select((eb) => ['pool_id', eb.fn.countAll<number>().as('count')])
    .$if(id !== undefined, (q) => q.where('pool_id', '=', id ?? ''))
    .groupBy('pool_id')
    .execute()
  return new Map(rows.map((row) => [row.pool_id, Number(row.count)]))
}

async function sharesOfGenerations(
  queries: Queries,
  id: string | undefined,
): Promise<Map<string, Pool['generations']>> {
  const rows = await queries
    .selectFrom('pool_member')
    .innerJoin('machine', 'machine.id', 'pool_member.machine_id')
    .innerJoin('generation', 'generation.id', 'machine.generation_id')
    .select((eb) => [
      'pool_id',
      'generation.number',
      'generation.current',
      eb.fn.countAll<number>().as('members'),
    ])
    .$if(id !== undefined, (q) => q.where('pool_id', '=', id ?? ''))
    .groupBy(['pool_id', 'generation.number', 'generation.current'])
    .orderBy('generation.number', 'desc')
    .execute()
  const shares = new Map<string, Pool['generations']>()
  for (const row of rows) {
    const own = shares.get(row.pool_id) ?? []
    own.push({
      generation: generationName(row),
      members: Number(row.members),
      current: row.current === 1,
    })
    shares.set(row.pool_id, own)
  }
  return shares
}

async function jobsOfPools(queries: Queries): Promise<Map<string, string>> {
  const rows = await queries
    .selectFrom('job')
    .select(['id', 'subject'])
    .where('kind', 'in', ['pool-build', 'pool-remove'])
    .where('finished_at', 'is', null)
    .orderBy('created_at', 'desc')
    .execute()
  return new Map(rows.map(({ id, subject }) => [subject, id]))
}
