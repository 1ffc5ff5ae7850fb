import type { Holder } from './api/machines.js'
import { metadataOf } from './assignments/records.js'
import type { Assignments } from './assignments/service.js'
import type { ConsoleAnswers } from './consoles/assembly.js'
import type { DomainExtrasOf } from './machines/definition.js'
import type { Held } from './machines/service.js'
import { stayAnswer } from './may-stay.js'
import { shownHolder } from './occupancy/policy.js'
import { strictest } from './pools/policy.js'
import { poolsOf } from './pools/store.js'
import type { Store } from './store/open.js'
import { callerFor } from './users/caller.js'
import { nameKey } from './users/names.js'
import type { Permissions } from './users/permissions.js'
import type { Verb } from './api/permissions.js'
import type { Person } from './users/verbs.js'

/** An account with the roles it has now; null: there is none, or it is disabled. */
async function personNamed(store: Store, name: string): Promise<Person | null> {
  const account = await store
    .selectFrom('account')
    .selectAll()
    .where('name_key', '=', nameKey(name))
    .where('disabled', '=', 0)
    .executeTakeFirst()
  return account
    ? await callerFor(store, account, { address: '', scopes: null, token: '', expiresAt: null })
    : null
}

/** Whether who waits in a queue may still have a desktop of that pool. A device was let in by clients.xml. */
export function queueAnswer(
  store: Store,
  permissions: Permissions,
): (holder: string, poolId: string) => Promise<boolean> {
  return async (holder, poolId) => {
    if (!holder.startsWith('user:')) return true
    const pool = await store
      .selectFrom('pool')
      .select('name')
      .where('id', '=', poolId)
      .executeTakeFirst()
    const who = await personNamed(store, holder.slice('user:'.length))
    return (
      pool !== undefined &&
      who !== null &&
      (await permissions.on(who, 'pool', pool.name))?.has('start') === true
    )
  }
}

/** Whether the holder is a person who may do this with that machine. */
async function mayWith(
  store: Store,
  permissions: Permissions,
  { holder, machineId, verb }: { holder: Holder; machineId: string; verb: Verb },
): Promise<boolean> {
  const machine = await store
    .selectFrom('machine')
    .select('name')
    .where('id', '=', machineId)
    .executeTakeFirst()
  const who = holder.kind === 'person' ? await personNamed(store, holder.name) : null
  return (
    machine !== undefined &&
    who !== null &&
    (await permissions.on(who, 'machine', machine.name))?.has(verb) === true
  )
}

/**
 * Questions that a room asks of those below it, answered here: who may take, know and keep a
 * console, and what the pools' policies say of it.
 */
export function consoleAnswers(deps: {
  store: Store
  permissions: Permissions
  assignments: Assignments
}): ConsoleAnswers {
  const { store, permissions, assignments } = deps
  const may = async (holder: Holder, machineId: string, verb: Verb): Promise<boolean> =>
    await mayWith(store, permissions, { holder, machineId, verb })
  return {
    mayTake: async (asker, machineId) => await may(asker, machineId, 'takeConsole'),
    mayKnow: async (asker, machineId) =>
      (await may(asker, machineId, 'takeConsole')) || (await may(asker, machineId, 'assign')),
    mayStay: stayAnswer(store),
    features: async (machineId) =>
      strictest((await poolsOf(store, machineId)).map((pool) => pool.policy)),
    protocols: async (machineId) => (await poolsOf(store, machineId))[0]?.policy.protocols ?? [],
    refuseNotReady: async (asker, machine) => {
      await assignments.refuseUnclean(
        machine,
        asker.kind === 'person' ? `user:${nameKey(asker.name)}` : null,
      )
    },
    onTicket: async (asker, machineId) => {
      await assignments.noteVisit(machineId)
      if (asker.kind === 'person')
        await assignments.noteTicket(machineId, `user:${nameKey(asker.name)}`)
    },
  }
}

/**
 * What a domain carries of pools and assignments, what the strictest policy of its pools lets a
 * viewer do, and who has it.
 */
export function machineAnswers(store: Store): {
  extrasOf: DomainExtrasOf
  holderOf: (machineId: string) => Promise<Held | null>
} {
  return {
    extrasOf: async (machine) => ({
      metadata: await metadataOf(store, machine),
      features: strictest((await poolsOf(store, machine.id)).map((pool) => pool.policy)),
    }),
    holderOf: async (machineId) => {
      const row = await store
        .selectFrom('assignment')
        .innerJoin('machine', 'machine.id', 'assignment.machine_id')
        .select(['machine.name', 'assignment.holder'])
        .where('machine_id', '=', machineId)
        .where((eb) => eb.or([eb('pool_id', 'is not', null), eb('fixed', '=', 1)]))
        .executeTakeFirst()
      return row === undefined ? null : { person: shownHolder(row.holder), machine: row.name }
    },
  }
}
