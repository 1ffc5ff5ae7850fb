import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import { requireMachine } from '../machines/store.js'
import { shownHolder } from '../occupancy/policy.js'
import type { Queries } from '../store/open.js'
import { addMember, removeMember, requirePool } from './store.js'
import { type PoolsDeps, refuseDeleting, wakeFor, type Wished } from './wishes.js'

/** A machine that exists becomes a member by hand. Inside the caller's transaction. */
export async function addByHand(
  deps: PoolsDeps,
  tx: Queries,
  name: string,
  machineName: string,
  by: Actor,
): Promise<Wished> {
  const pool = await requirePool(tx, name)
  refuseDeleting(pool)
  const machine = await requireMachine(tx, machineName)
  if (machine.type === 'source' || machine.type === 'initial')
    throw refusal('type_not_handed_out', { machine: machine.name, type: machine.type })
  await refuseHeld(deps, tx, machine)
  await addMember(tx, pool.id, machine, { built: false, state: 'free' }, deps.now())
  await recordEvent(tx, by, 'pool.add', `pool:${pool.name}`, { machine: machine.name })
  wakeFor(deps, tx, pool.id)
  return { id: pool.id, job: null }
}

/**
 * A machine that somebody has, or works on, is not handed to others; a device that had it by name
 * and has left loses it.
 */
async function refuseHeld(
  { observer }: PoolsDeps,
  tx: Queries,
  machine: { id: string; name: string },
): Promise<void> {
  const member = await tx
    .selectFrom('desktop')
    .select('state')
    .where('machine_id', '=', machine.id)
    .executeTakeFirst()
  if (member) return // of another pool: its assignment counts for both
  const held = await tx
    .selectFrom('assignment')
    .select(['holder', 'fixed'])
    .where('machine_id', '=', machine.id)
    .executeTakeFirst()
  if (held?.fixed === 1)
    throw refusal('desktop_held', { person: shownHolder(held.holder), machine: machine.name })
  const { viewers, unknown } = observer.occupancy.use(machine.id)
  if (held !== undefined && viewers.length === 0 && unknown !== null)
    throw refusal('machine_use_unknown', {
      machine: machine.name,
      why: `${unknown.replace(/\.$/, '')}.`,
    })
  if (viewers.length > 0) throw refusal('machine_in_use', { machine: machine.name })
  await tx.deleteFrom('assignment').where('machine_id', '=', machine.id).execute()
}

/** Takes a machine out of the pool. Inside the caller's transaction. Throws `assigned`, `not_found`. */
export async function takeOut(
  deps: PoolsDeps,
  tx: Queries,
  name: string,
  machineName: string,
  by: Actor,
): Promise<Wished> {
  const pool = await requirePool(tx, name)
  const machine = await requireMachine(tx, machineName)
  const held = await tx
    .selectFrom('assignment')
    .select('holder')
    .where('machine_id', '=', machine.id)
    .where('pool_id', '=', pool.id)
    .executeTakeFirst()
  if (held) throw refusal('member_assigned', { machine: machine.name })
  const member = await tx
    .selectFrom('pool_member')
    .select('built')
    .where('pool_id', '=', pool.id)
    .where('machine_id', '=', machine.id)
    .executeTakeFirst()
  if (!member) throw refusal('no_member', { machine: machine.name, pool: pool.name })
  await removeMember(tx, pool.id, machine.id)
  if (member.built === 1)
    await tx
      .updateTable('pool')
      .set({
        size: Math.max(0, pool.size - 1),
        policy: JSON.stringify({
          ...pool.policy,
          min: Math.min(pool.policy.min, Math.max(0, pool.size - 1)),
        }),
      })
      .where('id', '=', pool.id)
      .execute()
  await recordEvent(tx, by, 'pool.remove', `pool:${pool.name}`, { machine: machine.name })
  wakeFor(deps, tx, pool.id)
  return { id: pool.id, job: null }
}
