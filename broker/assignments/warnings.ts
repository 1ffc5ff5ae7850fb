import type { Desktop } from '../api/assignments.js'
import { poolById } from '../pools/store.js'
import type { Store } from '../store/open.js'
import { hostEmptiedAt, warningOf } from './policy.js'

/**
 * What those who sit before this machine's screen are to be told, if it is theirs
 * (`thin-client:ID`, `user:KEY`): that it is taken soon. Null while they need not be told.
 */
export async function warningAbout(
  store: Store,
  machineId: string,
  holders: readonly string[],
  now: number,
): Promise<Desktop['warning']> {
  const held = await store
    .selectFrom('assignment')
    .selectAll()
    .where('machine_id', '=', machineId)
    .executeTakeFirst()
  if (!held || !holders.includes(held.holder)) return null
  const drain = await drainOf(store, machineId)
  const emptiedAt = drain === undefined || drain.warned_at === null ? null : hostEmptiedAt(drain)
  if (
    emptiedAt === null &&
    ((held.warned_for === null && held.stop_at === null) || held.pool_id === null)
  )
    return null
  return warningOf(
    held,
    held.pool_id === null ? null : ((await poolById(store, held.pool_id))?.policy ?? null),
    now,
    emptiedAt,
  )
}

/** What the administrator says to those who are still on a host that is being drained; empty when nothing. */
export async function messageOfHost(store: Store, machineId: string): Promise<string> {
  return (await drainOf(store, machineId))?.message ?? ''
}

async function drainOf(store: Store, machineId: string) {
  return await store
    .selectFrom('drain')
    .innerJoin('machine', 'machine.hypervisor', 'drain.hypervisor')
    .select(['drain.deadline', 'drain.warned_at', 'drain.message'])
    .where('machine.id', '=', machineId)
    .executeTakeFirst()
}
