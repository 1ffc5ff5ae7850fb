import { Pool, PoolDetail, type PoolMember, PoolList } from '../../broker/api/pools.js'
import type { PoolPolicy } from '../../broker/api/pool-policy.js'
import { apiPath } from '../broker-client.js'
import { inParallel } from '../follow-job.js'
import type { Invocation } from '../invocation.js'
import { type Column, fieldsOf, tableOf } from '../output.js'
import { plainLine } from '../plain-text.js'

/** Questions to the broker at one time when there are many pools. */
const AT_ONCE = 8

const MEMBER_COLUMNS: ReadonlyArray<Column<PoolMember>> = [
  ['NAME', (it) => it.machine],
  ['STATE', stateOf],
  ['POWER', powerOf],
  ['HYPERVISOR', (it) => it.hypervisor],
  [
    'GENERATION',
    (it) => (it.renewPending ? `${it.generation ?? '-'}, renewed when released` : it.generation),
  ],
  ['EXPIRES', (it) => (it.connected ? 'not while connected' : it.expiresAt)],
  ['LAST USED', (it) => it.lastUsedAt],
]
const POOL_FIELDS: ReadonlyArray<Column<Pool>> = [
  ['name', (it) => it.name],
  ['namespace', (it) => it.namespace],
  ['made from', (it) => it.initial],
  ['size', (it) => it.size],
  ['members', (it) => countsOf(it)],
  ['waiting', (it) => it.waiting],
  ['for you', (it) => forYou(it) ?? ''],
  [
    'generations',
    (it) =>
      it.generations
        .map((one) => `${one.generation}${one.current ? ' (current)' : ''}: ${one.members}`)
        .join(', '),
  ],
  [
    'maintenance',
    (it) =>
      it.maintenance
        ? `on${it.maintenanceReason === '' ? '' : `: ${it.maintenanceReason}`}`
        : 'off',
  ],
  ['job', (it) => it.job],
  ['created', (it) => it.createdAt],
]

/** free, assigned to NAME, or what is being done to it; with what keeps it from being handed out. */
function stateOf(member: PoolMember): string {
  const state = member.holder === null ? member.state : `assigned to ${member.holder}`
  const more = [
    member.connected ? 'connected' : '',
    member.maintenance ? 'maintenance' : '',
    member.reason,
  ].filter((part) => part !== '')
  return more.length === 0 ? state : `${state} (${more.join(', ')})`
}

/** A machine that is off is stopped, as administrators of desktops say. */
function powerOf(member: PoolMember): string {
  return member.power === 'off' ? 'stopped' : member.power
}

function countsOf(pool: Pool): string {
  return Object.entries(pool.counts)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ')
}

/** Whether who asks has a desktop of it, or can have one; null: they may not. */
function forYou({ forYou: seen }: Pool): string | null {
  if (!seen) return null
  return {
    yours: `yours: ${seen.machine ?? ''}`,
    free: 'a desktop is free',
    full: 'all are taken',
    maintenance: 'in maintenance',
  }[seen.state]
}

/** A field of the policy in words. */
function policyValue(pool: Pool, field: keyof PoolPolicy): string {
  const { policy } = pool
  if (field === 'spares')
    return pool.spares === policy.spares
      ? String(policy.spares)
      : `${policy.spares}; now ${pool.spares}, by the schedule`
  if (field === 'max')
    return policy.max === 0 ? '0 (it does not grow by itself)' : String(policy.max)
  if (field === 'maxSession') return policy.maxSession ?? 'no limit'
  if (field === 'protocols') return policy.protocols.join(', ')
  if (field === 'schedule')
    return policy.schedule.length === 0
      ? 'none'
      : policy.schedule
          .map(({ cron, do: what, spares, connected }) =>
            [`${cron} = ${what}`, spares, connected === 'warn' ? 'warn' : undefined]
              .filter((word) => word !== undefined)
              .join(' '),
          )
          .join('; ')
  const value = policy[field]
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value)
}

/** Every pool with its members below it; the API's list of pools in the other formats. */
export async function listPools(invocation: Invocation): Promise<void> {
  const answer = await invocation.client.get('/pools', PoolList)
  if (invocation.output.format !== 'table') return void invocation.output.show(answer, () => '')
  const details = await inParallel(
    answer.pools,
    AT_ONCE,
    async (pool) => await invocation.client.get(apiPath`/pools/${pool.name}`, PoolDetail),
  )
  invocation.output.show(answer, () =>
    details.length === 0
      ? 'There is no pool: berth pool create NAME --from MACHINE --size N.'
      : details.map(withMembers).join('\n'),
  )
}

/** `devpool (3 members)`, and a line for each; for one who only uses it `devpool (a desktop is free)`. Pure. */
export function withMembers({ pool, members }: PoolDetail): string {
  const size =
    pool.whole === false
      ? (forYou(pool) ?? '')
      : `${members.length} ${members.length === 1 ? 'member' : 'members'}`
  const facts = [
    pool.namespace === '' ? '' : `ns/${pool.namespace}`,
    size,
    pool.state === 'deleting' ? 'being deleted' : '',
    pool.maintenance && pool.whole !== false ? 'maintenance' : '',
    pool.waiting > 0 ? `${pool.waiting} waiting` : '',
  ]
  const rows = tableOf<PoolMember>(
    [
      ['', (it) => it.machine],
      ['', stateOf],
      ['', powerOf],
    ],
    members,
  )
    .split('\n')
    .slice(1)
  const told = facts.filter((fact) => fact !== '').join(', ')
  return [
    plainLine(`${pool.name}${told === '' ? '' : ` (${told})`}`),
    ...rows.map((row) => `  ${row}`),
  ].join('\n')
}

export function showPool(invocation: Invocation, detail: PoolDetail): void {
  const policy = (Object.keys(detail.pool.policy) as Array<keyof PoolPolicy>).map(
    (field): Column<Pool> => [field, (pool) => policyValue(pool, field)],
  )
  invocation.output.show(detail, () =>
    [
      fieldsOf(POOL_FIELDS, detail.pool),
      '',
      fieldsOf(policy, detail.pool),
      '',
      tableOf(MEMBER_COLUMNS, detail.members),
    ].join('\n'),
  )
}

/** The end of commands that answer with a pool: its fields. */
export function showPoolFields(invocation: Invocation, pool: Pool): void {
  invocation.output.show(pool, () => fieldsOf(POOL_FIELDS, pool))
}
