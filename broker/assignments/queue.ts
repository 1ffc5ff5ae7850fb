import type { Queries } from '../store/open.js'

/** Who has not asked for so long does not wait any more. */
export const WAITER_COUNTS_MS = 90_000

/** Takes a place in the queue, or keeps the one there is. Gives the place (1: the next) and since when. */
export async function wait(
  queries: Queries,
  poolId: string,
  holder: string,
  now: number,
): Promise<{ place: number; since: number }> {
  const last = await queries
    .selectFrom('waiter')
    .select('since')
    .where('pool_id', '=', poolId)
    .orderBy('since', 'desc')
    .limit(1)
    .executeTakeFirst()
  // Behind everybody, whatever the clock was set to meanwhile.
  const since = last === undefined ? now : Math.max(now, last.since + 1)
  await queries
    .insertInto('waiter')
    .values({ pool_id: poolId, holder, since, asked_at: now })
    .onConflict((oc) => oc.columns(['pool_id', 'holder']).doUpdateSet({ asked_at: now }))
    .execute()
  const own = await queries
    .selectFrom('waiter')
    .select('since')
    .where('pool_id', '=', poolId)
    .where('holder', '=', holder)
    .executeTakeFirstOrThrow()
  return {
    place: (await waitersAhead(queries, poolId, { holder, since: own.since }, now)) + 1,
    since: own.since,
  }
}

async function waitersAhead(
  queries: Queries,
  poolId: string,
  own: { holder: string; since: number },
  now: number,
): Promise<number> {
  const { ahead } = await queries
    .selectFrom('waiter')
    .select((eb) => eb.fn.countAll<number>().as('ahead'))
    .where('pool_id', '=', poolId)
    .where('asked_at', '>', now - WAITER_COUNTS_MS)
    .where('holder', '!=', own.holder)
    .where((eb) =>
      eb.or([
        eb('since', '<', own.since),
        eb.and([eb('since', '=', own.since), eb('holder', '<', own.holder)]),
      ]),
    )
    .executeTakeFirstOrThrow()
  return Number(ahead)
}

/** Who is the next to get a desktop of this pool, among those who still wait; null: nobody waits. */
export async function headOfQueue(
  queries: Queries,
  poolId: string,
  now: number,
): Promise<string | null> {
  const head = await queries
    .selectFrom('waiter')
    .select('holder')
    .where('pool_id', '=', poolId)
    .where('asked_at', '>', now - WAITER_COUNTS_MS)
    .orderBy('since')
    .orderBy('holder')
    .limit(1)
    .executeTakeFirst()
  return head?.holder ?? null
}

/** Gives since when they have waited; null when they did not. */
export async function leaveQueue(
  queries: Queries,
  poolId: string,
  holder: string,
): Promise<number | null> {
  const left = await queries
    .deleteFrom('waiter')
    .where('pool_id', '=', poolId)
    .where('holder', '=', holder)
    .returning('since')
    .executeTakeFirst()
  return left?.since ?? null
}

/** Those who gave up are forgotten; gives the pools in which somebody still waits. */
export async function livePools(queries: Queries, now: number): Promise<string[]> {
  await queries
    .deleteFrom('waiter')
    .where('asked_at', '<=', now - WAITER_COUNTS_MS)
    .execute()
  return (await queries.selectFrom('waiter').select('pool_id').distinct().execute()).map(
    (row) => row.pool_id,
  )
}

/** Those who wait, in their order. */
export async function waitersOf(queries: Queries, poolId: string): Promise<string[]> {
  return (
    await queries
      .selectFrom('waiter')
      .select('holder')
      .where('pool_id', '=', poolId)
      .orderBy('since')
      .orderBy('holder')
      .execute()
  ).map((row) => row.holder)
}
