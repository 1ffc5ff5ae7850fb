import type { Offer } from '../api/offers.js'
import type { Store } from '../store/open.js'
import { mapInTurns } from '../turn.js'
import type { Caller } from '../users/caller.js'

/**
 * What there is to know of a pool or machine that somebody may use. `free`, `waiting` and `queue`
 * are a pool's, `hypervisor` and `power` a machine's.
 */
export interface OfferFacts {
  readonly id: string
  readonly reason: string
  readonly image: string | null
  readonly hypervisor: string | null
  readonly power: Offer['power']
  readonly free: number | null
  readonly waiting: number | null
  readonly queue: Offer['queue']
}

/** By the names of all pools; in three questions however many there are. */
export async function poolFactsFor(
  store: Store,
  person: Pick<Caller, 'key'>,
): Promise<ReadonlyMap<string, OfferFacts>> {
  const pools = await store
    .selectFrom('pool')
    .leftJoin('machine', 'machine.id', 'pool.initial_id')
    .leftJoin('machine as golden', 'golden.id', 'machine.parent_id')
    .select([
      'pool.id',
      'pool.name',
      'pool.maintenance_reason',
      'machine.name as initial',
      'golden.name as golden',
    ])
    .execute()
  const free = await freeByPool(store)
  const queues = await queuesByPool(store)
  const facts = await mapInTurns(pools, (pool): [string, OfferFacts] => {
    const queue = queues.get(pool.id) ?? []
    const place = queue.findIndex(({ holder }) => holder === `user:${person.key}`)
    const own = queue[place]
    return [
      pool.name,
      {
        id: pool.id,
        reason: pool.maintenance_reason,
        image: pool.golden ?? pool.initial,
        hypervisor: null,
        power: null,
        free: free.get(pool.id) ?? 0,
        waiting: queue.length,
        queue: own ? { place: place + 1, since: new Date(own.since).toISOString() } : null,
      },
    ]
  })
  return new Map(facts)
}

async function freeByPool(store: Store): Promise<ReadonlyMap<string, number>> {
  const rows = await store
    .selectFrom('pool_member')
    .select((eb) => ['pool_id', eb.fn.countAll<number>().as('free')])
    .where('claimable', '>', 0)
    .groupBy('pool_id')
    .execute()
  return new Map(rows.map((row) => [row.pool_id, Number(row.free)]))
}

interface Waiting {
  readonly holder: string
  readonly since: number
}

/** Those who wait for each pool, in their order. */
async function queuesByPool(store: Store): Promise<ReadonlyMap<string, readonly Waiting[]>> {
  const rows = await store
    .selectFrom('waiter')
    .select(['pool_id', 'holder', 'since'])
    .orderBy('since')
    .orderBy('holder')
    .execute()
  const queues = new Map<string, Waiting[]>()
  for (const { pool_id: pool, holder, since } of rows) {
    const queue = queues.get(pool)
    if (queue) queue.push({ holder, since })
    else queues.set(pool, [{ holder, since }])
  }
  return queues
}
