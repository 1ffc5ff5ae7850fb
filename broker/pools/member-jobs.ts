import type { Actor } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { JobRunner } from '../jobs/runner.js'
import type { Queries } from '../store/open.js'
import type { BuildInput } from './following.js'
import type { RemoveInput } from './remove-job.js'
import type { PoolWithPolicy } from './store.js'

/** `forget`: the pool itself goes, too; `machines`: only these members; null: all. */
export interface Removal {
  readonly keepMachines: boolean
  readonly forget: boolean
  readonly machines: readonly string[] | null
}

/** Makes the members that are missing. Inside the caller's transaction. */
export async function buildMembers(
  jobs: JobRunner,
  tx: Queries,
  pool: { id: string; name: string },
  numbers: readonly number[],
  by: Actor,
): Promise<string> {
  const names = numbers.map((number) => `${pool.name}-${number}`)
  const input: BuildInput = { pool: { id: pool.id, name: pool.name }, names }
  return await jobs.create(
    tx,
    {
      kind: 'pool-build',
      subject: pool.name,
      input,
      targets: [`${pool.name} golden image`, ...names],
      locks: [],
    },
    by,
    'pool',
  )
}

/** Takes members away, and with `forget` the pool. Inside the caller's transaction. */
export async function removeMembers(
  jobs: JobRunner,
  tx: Queries,
  pool: PoolWithPolicy,
  wish: Removal,
  by: Actor,
): Promise<string> {
  const members = await tx
    .selectFrom('pool_member')
    .innerJoin('machine', 'machine.id', 'pool_member.machine_id')
    .select(['machine.id', 'machine.name', 'pool_member.built'])
    .where('pool_id', '=', pool.id)
    .orderBy('machine.name')
    .execute()
  const doomed = wish.keepMachines
    ? []
    : members
        .filter((member) => member.built === 1 && (wish.machines?.includes(member.id) ?? true))
        .map(({ id, name }) => ({ id, name }))
  const input: RemoveInput = {
    pool: { id: pool.id, name: pool.name },
    machines: doomed,
    forget: wish.forget,
    initial: wish.forget && !wish.keepMachines && pool.initial_made === 1 ? pool.initial_id : null,
  }
  return await jobs.create(
    tx,
    {
      kind: 'pool-remove',
      subject: pool.name,
      input,
      targets: [
        ...doomed.map((machine) => machine.name),
        ...(wish.forget ? [`${pool.name} itself`] : []),
      ],
      locks: [],
    },
    by,
    'pool',
  )
}

export async function numbersOf(
  queries: Queries,
  pool: { id: string; name: string },
): Promise<number[]> {
  const rows = await queries
    .selectFrom('pool_member')
    .select('name')
    .where('pool_id', '=', pool.id)
    .where('built', '=', 1)
    .execute()
  return rows.map((row) => memberNumber(pool.name, row.name)).filter((number) => number > 0)
}

/** The N of POOL-N, or 0. */
export function memberNumber(pool: string, machine: string): number {
  return machine.toLowerCase().startsWith(`${pool.toLowerCase()}-`)
    ? Number(/^\d+$/.exec(machine.slice(pool.length + 1))?.[0] ?? 0)
    : 0
}

/** A machine that has nothing to do with the pool may already have the name of a member. */
export async function refuseForeignNames(
  queries: Queries,
  pool: string,
  numbers: readonly number[],
): Promise<void> {
  if (numbers.length === 0) return
  const taken = await queries
    .selectFrom('machine')
    .select('name')
    .where(
      'name',
      'in',
      numbers.map((number) => `${pool}-${number}`),
    )
    .limit(1)
    .executeTakeFirst()
  if (taken) throw refusal('member_name_taken', { machine: taken.name, pool })
}
