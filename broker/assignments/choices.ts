import type { Verb } from '../api/permissions.js'
import type { Pool } from '../api/pools.js'
import type { Choice } from '../api/thin-clients.js'
import { listPools } from '../pools/listing.js'
import type { Flag } from '../store/flag.js'
import type { Store } from '../store/open.js'
import type { MachineRow } from '../store/tables.js'
import type { Caller } from '../users/caller.js'
import type { Permissions } from '../users/permissions.js'
import { compareNames } from '../natural-order.js'

export interface ChoicesDeps {
  readonly store: Store
  readonly permissions: Permissions
}

/** `mine`: the machine of the pool that the person has. */
function stateOf(pool: Pool, mine: string | undefined): Pick<Choice, 'state' | 'sentence'> {
  const { maintenance, maintenanceReason: reason, waiting } = pool
  if (maintenance)
    return { state: 'maintenance', sentence: `in maintenance${reason === '' ? '' : `: ${reason}`}` }
  if (mine !== undefined) return { state: 'yours', sentence: `yours: ${mine}` }
  const free = pool.counts['free'] ?? 0
  if (free > 0) return { state: 'free', sentence: `${free} free` }
  if (pool.size < pool.policy.max) return { state: 'free', sentence: 'one is made for you' }
  const wait = waiting === 0 ? '' : `, ${waiting} wait`
  return { state: 'full', sentence: `all are taken${wait}: you take a place in the queue` }
}

/** Nobody chooses among more; a person with more of them is an administrator, who has other ways. */
const MOST_MACHINES = 40

/**
 * What a person may open, at a thin client or on their page: pools whose desktops they may start and
 * open, and machines in no pool, or given to them by hand, that they may open. `only`: names of pools
 * that bound the choice; empty: no bound. Their own come first.
 */
export async function choicesOf(
  deps: ChoicesDeps,
  person: Caller,
  only: readonly string[],
): Promise<Choice[]> {
  const held = await deps.store
    .selectFrom('assignment')
    .innerJoin('machine', 'machine.id', 'assignment.machine_id')
    .leftJoin('pool', 'pool.id', 'assignment.pool_id')
    .select(['machine.name as machine', 'pool.name as pool'])
    .where('holder', '=', `user:${person.key}`)
    .execute()
  const bounds = new Set(only.map((name) => name.toLowerCase()))
  const inBounds = (pool: string | null): boolean =>
    bounds.size === 0 || (pool !== null && bounds.has(pool.toLowerCase()))
  const verbs = await deps.permissions.onAll(person, 'pool')
  const pools: Choice[] = []
  for (const pool of await listPools(deps.store, {})) {
    if (pool.state !== 'active' || !inBounds(pool.name) || !mayUse(verbs.get(pool.name))) continue
    const mine = held.find((one) => one.pool === pool.name)
    pools.push({ kind: 'pool', name: pool.name, ...stateOf(pool, mine?.machine) })
  }
  const through = new Set(pools.map((pool) => pool.name))
  const byHand = held
    .filter((one) => one.pool !== null && inBounds(one.pool) && !through.has(one.pool))
    .map((one) => one.machine)
  const machines = await machineChoices(
    deps,
    person,
    bounds.size === 0,
    byHand,
    new Set(held.map((one) => one.machine)),
  )
  const order = { yours: 0, free: 1, full: 2, maintenance: 3 } as const
  return [...pools, ...machines].sort(
    (a, b) => order[a.state] - order[b.state] || compareNames(a.name, b.name),
  )
}

/** Whether a choice that was made may still be had: quicker than to ask for all. */
export async function mayHave(
  deps: ChoicesDeps,
  person: Caller,
  choice: Pick<Choice, 'kind' | 'name'>,
): Promise<boolean> {
  if (choice.kind === 'pool') return mayUse(await deps.permissions.on(person, 'pool', choice.name))
  return (await deps.permissions.on(person, 'machine', choice.name))?.has('accessConsole') === true
}

function mayUse(verbs: ReadonlySet<Verb> | null | undefined): boolean {
  return verbs?.has('start') === true && verbs.has('accessConsole')
}

async function machineChoices(
  deps: ChoicesDeps,
  person: Caller,
  outside: boolean,
  byHand: readonly string[],
  held: ReadonlySet<string>,
): Promise<Choice[]> {
  const granted = (await deps.permissions.grantsOf(person))
    .filter((grant) => grant.objectKind === 'machine')
    .map((grant) => grant.objectId)
  const rows = await machineRows(deps.store, person, { granted, named: byHand, held })
  const found = new Map(
    rows
      .filter((row) => byHand.includes(row.name) || (outside && row.pool_id === null))
      .map((row) => [row.name, row]),
  )
  const choices: Choice[] = []
  for (const row of [...found.values()].slice(0, MOST_MACHINES)) {
    if ((await deps.permissions.on(person, 'machine', row.name))?.has('accessConsole') !== true)
      continue
    choices.push({ kind: 'machine', name: row.name, ...machineState(row, held.has(row.name)) })
  }
  return choices
}

/** More than those that the person may open; twice as many as are shown. */
async function machineRows(
  store: Store,
  person: Caller,
  {
    granted,
    named,
    held,
  }: {
    readonly granted: readonly string[]
    readonly named: readonly string[]
    readonly held: ReadonlySet<string>
  },
) {
  return await store
    .selectFrom('machine')
    .leftJoin('pool_member', 'pool_member.machine_id', 'machine.id')
    .leftJoin('assignment', 'assignment.machine_id', 'machine.id')
    .select([
      'machine.name',
      'machine.power',
      'machine.maintenance',
      'machine.maintenance_reason',
      'pool_member.pool_id',
      'assignment.holder',
      'assignment.connected',
    ])
    .where('machine.type', 'in', ['vdi', 'simple'])
    .where((eb) =>
      person.role === 'admin'
        ? eb.or([eb('pool_member.pool_id', 'is', null), eb('machine.name', 'in', [...named, ''])])
        : eb.or([
            eb('machine.id', 'in', [...granted, '']),
            eb('machine.name', 'in', [...named, ...held, '']),
          ]),
    )
    .orderBy('machine.name')
    .limit(MOST_MACHINES * 2)
    .execute()
}

function machineState(
  row: Pick<MachineRow, 'power' | 'maintenance' | 'maintenance_reason'> & {
    readonly connected: Flag | null
  },
  mine: boolean,
): Pick<Choice, 'state' | 'sentence'> {
  const state =
    row.maintenance === 1 ? 'maintenance' : mine ? 'yours' : row.connected === 1 ? 'full' : 'free'
  const sentence = {
    maintenance: `in maintenance${row.maintenance_reason === '' ? '' : `: ${row.maintenance_reason}`}`,
    yours: 'yours',
    free: row.power === 'running' ? 'it runs' : 'it is off',
    full: 'somebody else uses it',
  }[state]
  return { state, sentence }
}
