import type { PoolPolicyPatch } from '../../../broker/api/pool-policy.js'
import { BERTH } from '../../../broker/audit/store.js'
import type { Store } from '../../../broker/store/open.js'
import type { Engine } from '../../support/simulated-engine.js'

export type AssignedRow = Awaited<ReturnType<typeof assignedRows>>[number]

/** Returns the desktops of pools that somebody has, by name. */
export async function assignedRows(store: Store) {
  return await store
    .selectFrom('assignment')
    .innerJoin('machine', 'machine.id', 'assignment.machine_id')
    .leftJoin('desktop', 'desktop.machine_id', 'machine.id')
    .selectAll('assignment')
    .select([
      'machine.name',
      'machine.hypervisor',
      'machine.power',
      'desktop.state',
      'desktop.unclean',
    ])
    .where('assignment.pool_id', 'is not', null)
    .orderBy('machine.name')
    .execute()
}

/** Makes the pool p from the source gold, and beside it the machine pc, which is in no pool. */
export async function makePool(
  engine: Engine,
  policy: PoolPolicyPatch,
  size: number,
): Promise<void> {
  const create = async (name: string, type: 'source' | 'simple'): Promise<void> => {
    const { job } = await engine.machines.create({ name, type, hypervisors: ['hv1'] }, BERTH)
    await engine.succeeded(job)
  }
  await create('gold', 'source')
  const { job } = await engine.handingOut.pools.create(
    { name: 'p', from: 'gold', size, policy },
    BERTH,
  )
  await engine.succeeded(job ?? '')
  await create('pc', 'simple')
}

/** Writes a local account that has never logged in. */
export async function putAccount(store: Store, name: string): Promise<void> {
  await store
    .insertInto('account')
    .values({
      name,
      name_key: name,
      source: 'local',
      subject: null,
      password_hash: null,
      display_name: '',
      created_at: 0,
      last_login_at: null,
    })
    .execute()
}

/** Sabotage, to see that the checks see it: the machine is free at once, without being cleaned. */
export async function freeUncleaned(store: Store, machine: string): Promise<void> {
  const { id } = await store
    .selectFrom('machine')
    .select('id')
    .where('name', '=', machine)
    .executeTakeFirstOrThrow()
  await store.deleteFrom('assignment').where('machine_id', '=', id).execute()
  await store
    .updateTable('desktop')
    .set({ state: 'free', unclean: null })
    .where('machine_id', '=', id)
    .execute()
  await store
    .updateTable('pool_member')
    .set({ claimable: 1 })
    .where('machine_id', '=', id)
    .execute()
}

/** Sabotage: what one person has is another one's. */
export async function handOn(store: Store, from: string, to: string): Promise<void> {
  await store
    .updateTable('assignment')
    .set({ holder: `user:${to}` })
    .where('holder', '=', `user:${from}`)
    .execute()
}
