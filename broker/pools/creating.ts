import { randomUUID } from 'node:crypto'
import type { PoolCreate } from '../api/pools.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import { requireMachine } from '../machines/store.js'
import type { Queries } from '../store/open.js'
import type { MachineRow } from '../store/tables.js'
import { buildMembers, refuseForeignNames } from './member-jobs.js'
import { defaultPolicy, missingNumbers } from './policy.js'
import { checkedPolicy, type Hardware, type PoolsDeps, wakeFor, type Wished } from './wishes.js'

/** Asks the hypervisor, so not to be done in a transaction. Throws `machine_running`. */
export async function requireGoldenOff(
  { store, observer }: PoolsDeps,
  { from }: Pick<PoolCreate, 'from'>,
): Promise<void> {
  if (from !== undefined) await observer.requireOff((await requireMachine(store, from)).name)
}

/** Records the pool and orders its first members. Inside the caller's transaction. */
export async function createPool(
  deps: PoolsDeps,
  tx: Queries,
  wish: PoolCreate,
  by: Actor,
): Promise<Wished> {
  const golden = wish.from === undefined ? null : await requireMachine(tx, wish.from)
  const size = firstSize(wish, golden)
  const policy = checkedPolicy({ ...defaultPolicy(), min: size, ...wish.policy })
  const hardware = hardwareOf(wish, golden)
  await refuseTaken(tx, wish.name)
  const id = randomUUID()
  const now = deps.now()
  const hypervisors = await knownHypervisors(tx, wish)
  await tx
    .insertInto('pool')
    .values({
      id,
      name: wish.name,
      namespace: wish.namespace ?? '',
      initial_id: golden?.type === 'initial' ? golden.id : null,
      policy: JSON.stringify(policy),
      hardware: JSON.stringify(hardware),
      hypervisors: JSON.stringify(hypervisors),
      size,
      spares: policy.spares,
      state: 'active',
      needed_at: now,
      created_at: now,
    })
    .execute()
  await refuseForeignNames(tx, wish.name, missingNumbers(size, []))
  await recordEvent(tx, by, 'pool.create', `pool:${wish.name}`, {
    from: golden?.name ?? null,
    size,
    policy: wish.policy ?? {},
  })
  wakeFor(deps, tx, id)
  const missing = missingNumbers(size, [])
  return {
    id,
    job:
      size === 0 ? null : await buildMembers(deps.jobs, tx, { id, name: wish.name }, missing, by),
  }
}

function hardwareOf(wish: PoolCreate, golden: MachineRow | null): Hardware {
  return {
    ...(golden && golden.type !== 'initial' ? { golden: golden.name } : {}),
    ...given(wish, ['memoryMib', 'vcpus', 'network', 'discardChanges']),
  }
}

async function knownHypervisors(tx: Queries, { hypervisors = [] }: PoolCreate): Promise<string[]> {
  return await Promise.all(hypervisors.map(async (name) => await knownHypervisor(tx, name)))
}

/** How many members it builds at first. Throws `invalid_request` where they could be made from nothing. */
function firstSize({ size: wished, policy }: PoolCreate, golden: MachineRow | null): number {
  const size = wished ?? policy?.min ?? (golden ? 1 : 0)
  if (size > 0 && !golden) throw refusal('pool_needs_golden', { count: size })
  return size
}

async function refuseTaken(queries: Queries, name: string): Promise<void> {
  const taken = await queries
    .selectFrom('pool')
    .select('name')
    .where('name', '=', name)
    .executeTakeFirst()
  if (taken) throw refusal('pool_taken', { pool: taken.name })
}

/** Its name as it is written. Throws `not_found`. */
async function knownHypervisor(queries: Queries, name: string): Promise<string> {
  const row = await queries
    .selectFrom('hypervisor')
    .select('name')
    .where('name', '=', name)
    .executeTakeFirst()
  if (!row) throw refusal('hypervisor_unknown', { hypervisor: name })
  return row.name
}

function given<T extends object, K extends keyof T>(
  from: T,
  keys: readonly K[],
): Partial<Pick<T, K>> {
  return Object.fromEntries(
    keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]),
  ) as Partial<Pick<T, K>>
}
