import type { Verb } from '../api/permissions.js'
import type { ApplyResult, Pool } from '../api/pools.js'
import type { Actor } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import { requireMachine } from '../machines/store.js'
import type { Queries } from '../store/open.js'
import { grantsOn, removeGrant, setGrant } from '../users/grants.js'
import { nameKey } from '../users/names.js'
import { membersByHand, poolGrants } from './as-documents.js'
import { changePool } from './changing.js'
import { createPool } from './creating.js'
import type { Wanted, WantedGrant, WantedPool } from './document-forms.js'
import { documentsRefused } from './document-reading.js'
import { listPools } from './listing.js'
import { addByHand, takeOut } from './members.js'
import { changedPolicy, defaultPolicy, faultsOfPolicy, resizedPolicy } from './policy.js'
import { requirePool } from './store.js'
import { type Hardware, type PoolsDeps, wakeFor, type Wished } from './wishes.js'

type Change = ApplyResult['changes'][number]

/**
 * Carries documents into the database, inside the caller's transaction.
 */
export class Applying {
  readonly #jobs: string[] = []

  constructor(
    readonly deps: PoolsDeps,
    readonly tx: Queries,
    readonly by: Actor,
  ) {}

  async all(wanted: Wanted): Promise<ApplyResult> {
    const existing = await listPools(this.tx, {})
    await this.#refuseUnknown(wanted, existing)
    refuseBadPolicies(wanted, existing)
    const warnings = [...wanted.warnings, ...(await this.#unchangeable(wanted))]
    const changes: Change[] = []
    for (const pool of wanted.pools)
      changes.push(
        await this.#pool(
          pool,
          existing.find((one) => one.name.toLowerCase() === pool.name.toLowerCase()),
        ),
      )
    for (const machine of wanted.machines) changes.push(await this.#machine(machine))
    return { changes, jobs: this.#jobs, warnings }
  }

  /** Before anything is done: every machine and pool that the documents name must be there. */
  async #refuseUnknown(wanted: Wanted, pools: readonly Pool[]): Promise<void> {
    const existing = new Set(pools.map((pool) => pool.name.toLowerCase()))
    const named = new Set(wanted.pools.map((pool) => pool.name.toLowerCase()))
    if (named.size < wanted.pools.length) throw refusal('pool_described_twice')
    for (const machine of wanted.machines) {
      await requireMachine(this.tx, machine.name)
      const unknown = machine.pools.find(
        (pool) => !existing.has(pool.toLowerCase()) && !named.has(pool.toLowerCase()),
      )
      if (unknown !== undefined)
        throw refusal('documents_name_unknown_pool', { machine: machine.name, pool: unknown })
    }
    for (const pool of wanted.pools)
      for (const machine of pool.members ?? []) await requireMachine(this.tx, machine)
  }

  /** What a pool was made with and keeps: a document that says otherwise is told so. */
  async #unchangeable(wanted: Wanted): Promise<string[]> {
    const made = await madeWith(this.tx)
    return wanted.pools.flatMap(({ name, namespace, from, settings }) => {
      const before = made.get(name.toLowerCase())
      if (!before) return []
      const after: Record<string, unknown> = {
        ...settings,
        ...(from === undefined || from === before['initial'] ? {} : { from }),
        ...(namespace === undefined ? {} : { namespace }),
      }
      const other = Object.entries(after).filter(
        ([field, value]) => JSON.stringify(value) !== JSON.stringify(before[field]),
      )
      return other.map(
        ([field, value]) =>
          `The pool ${name} stays ` +
          `with ${field} ${String(before[field] ?? '') || 'as it was'}, ` +
          `not ${String(value)}: that is said when a pool is created.`,
      )
    })
  }

  async #pool(wanted: WantedPool, pool: Pool | undefined): Promise<Change> {
    const { id, name } = pool
      ? await requirePool(this.tx, pool.name)
      : { id: '', name: wanted.name }
    const fields = [
      ...fieldsOf(wanted, pool),
      ...(await this.#grantFields(wanted, id)),
      ...(await this.#memberFields(wanted, id)),
    ]
    const change: Change = {
      object: `pool/${wanted.name}`,
      action: pool ? (fields.length > 0 ? 'change' : 'none') : 'create',
      fields,
    }
    if (change.action === 'none') return change
    const { size, policy } = wanted
    let poolId = id
    if (!pool) poolId = await this.#create(wanted)
    else if (fields.some(({ field }) => field !== 'permissions' && field !== 'members')) {
      const patch = { policy, ...(size === undefined || size === pool.size ? {} : { size }) }
      this.#note(await changePool(this.deps, this.tx, name, patch, this.by))
    }
    wakeFor(this.deps, this.tx, poolId)
    if (wanted.permissions !== undefined)
      await this.#setGrants({ kind: 'pool', id: poolId, name }, wanted.permissions)
    if (wanted.members !== undefined) await this.#setMembers({ id: poolId, name }, wanted.members)
    return change
  }

  async #create({ name, namespace, from, size, settings, policy }: WantedPool): Promise<string> {
    const wish = {
      name,
      ...settings,
      policy,
      ...(namespace === undefined ? {} : { namespace }),
      ...(from === undefined ? {} : { from }),
      ...(size === undefined ? {} : { size }),
    }
    return this.#note(await createPool(this.deps, this.tx, wish, this.by))
  }

  #note({ id, job }: Wished): string {
    if (job !== null) this.#jobs.push(job)
    return id
  }

  async #grantFields(wanted: WantedPool, poolId: string): Promise<Change['fields']> {
    if (wanted.permissions === undefined) return []
    const before = (await poolGrants(this.tx, poolId)).get(poolId) ?? []
    return sameGrants(before, wanted.permissions)
      ? []
      : [{ field: 'permissions', before, after: wanted.permissions }]
  }

  async #memberFields(wanted: WantedPool, poolId: string): Promise<Change['fields']> {
    if (wanted.members === undefined) return []
    const before = (await membersByHand(this.tx, poolId)).get(poolId) ?? []
    return [...before].sort().join() === [...wanted.members].sort().join()
      ? []
      : [{ field: 'members', before, after: wanted.members }]
  }

  async #setGrants(
    on: { kind: 'pool'; id: string; name: string },
    wanted: readonly WantedGrant[],
  ): Promise<void> {
    const subject = ({
      user,
      role = '',
    }: WantedGrant): { subjectKind: 'user' | 'role'; subject: string } =>
      user === undefined
        ? { subjectKind: 'role', subject: role }
        : { subjectKind: 'user', subject: user }
    for (const grant of wanted)
      await setGrant(this.tx, on, { ...subject(grant), verbs: grant.may as Verb[] }, this.by)
    const stays = new Set(
      wanted.map(subject).map((one) => `${one.subjectKind} ${nameKey(one.subject)}`),
    )
    for (const grant of await grantsOn(this.tx, on))
      if (!stays.has(`${grant.subjectKind} ${nameKey(grant.subject)}`))
        await removeGrant(this.tx, on, grant, this.by)
  }

  async #setMembers(pool: { id: string; name: string }, wanted: readonly string[]): Promise<void> {
    const before = (await membersByHand(this.tx, pool.id)).get(pool.id) ?? []
    for (const machine of wanted.filter((one) => !before.includes(one)))
      this.#note(await addByHand(this.deps, this.tx, pool.name, machine, this.by))
    for (const machine of before.filter((one) => !wanted.includes(one)))
      this.#note(await takeOut(this.deps, this.tx, pool.name, machine, this.by))
  }

  /** The pools that a machine names, and no others, have it as a member by hand. */
  async #machine({ name, pools }: { name: string; pools: readonly string[] }): Promise<Change> {
    const rows = await this.tx
      .selectFrom('pool_member')
      .innerJoin('pool', 'pool.id', 'pool_member.pool_id')
      .innerJoin('machine', 'machine.id', 'pool_member.machine_id')
      .select(['pool.name', 'pool_member.built'])
      .where('machine.name', '=', name)
      .orderBy('pool.name')
      .execute()
    const has = (pool: string, among: readonly string[]): boolean =>
      among.some((one) => one.toLowerCase() === pool.toLowerCase())
    const before = rows.map((row) => row.name)
    const missing = pools.filter((pool) => !has(pool, before))
    const over = rows
      .filter((row) => row.built === 0 && !has(row.name, pools))
      .map((row) => row.name)
    for (const pool of missing) this.#note(await addByHand(this.deps, this.tx, pool, name, this.by))
    for (const pool of over) this.#note(await takeOut(this.deps, this.tx, pool, name, this.by))
    const changed = missing.length + over.length > 0
    return {
      object: `machine/${name}`,
      action: changed ? 'change' : 'none',
      fields: changed
        ? [
            {
              field: 'pools',
              before,
              after: [...before.filter((pool) => !over.includes(pool)), ...missing],
            },
          ]
        : [],
    }
  }
}

/** By the pool's name in small letters: its id, and what was said at its creation. */
export async function madeWith(queries: Queries): Promise<Map<string, Record<string, unknown>>> {
  const rows = await queries
    .selectFrom('pool')
    .leftJoin('machine', 'machine.id', 'pool.initial_id')
    .select([
      'pool.id',
      'pool.name',
      'pool.namespace',
      'pool.hardware',
      'pool.hypervisors',
      'machine.name as initial',
    ])
    .execute()
  return new Map(
    rows.map(({ id, name, namespace, hardware, hypervisors, initial }) => {
      const { golden, ...rest } = JSON.parse(hardware) as Hardware
      const hosts = JSON.parse(hypervisors) as string[]
      return [
        name.toLowerCase(),
        {
          ...rest,
          id,
          namespace,
          initial,
          from: golden ?? initial ?? undefined,
          ...(hosts.length === 0 ? {} : { hypervisors: hosts }),
        },
      ]
    }),
  )
}

/** Before anything is done: what only the whole policy shows, of all pools at once. */
function refuseBadPolicies(wanted: Wanted, existing: readonly Pool[]): void {
  const faults = wanted.pools.flatMap(({ name, size, policy, line }) => {
    const pool = existing.find((one) => one.name.toLowerCase() === name.toLowerCase())
    const before = pool
      ? resizedPolicy(pool.policy, size === pool.size ? undefined : size)
      : { ...defaultPolicy(), min: size ?? 0 }
    return faultsOfPolicy(changedPolicy(before, policy)).map(({ field, fault }) => ({
      line,
      message: `${name}: ${field} ${fault}`,
    }))
  })
  if (faults.length > 0) throw documentsRefused(faults)
}

function fieldsOf(wanted: WantedPool, pool: Pool | undefined): Change['fields'] {
  const before: Record<string, unknown> = pool
    ? { ...pool.policy, size: pool.size, namespace: pool.namespace }
    : {}
  const after: Record<string, unknown> = {
    ...wanted.policy,
    ...(wanted.size === undefined ? {} : { size: wanted.size }),
    ...(pool || wanted.namespace === undefined ? {} : { namespace: wanted.namespace }),
  }
  return Object.entries(after)
    .filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(before[field]))
    .map(([field, value]) => ({ field, before: before[field] ?? null, after: value }))
}

function sameGrants(one: readonly WantedGrant[], other: readonly WantedGrant[]): boolean {
  const text = (grants: readonly WantedGrant[]): string =>
    JSON.stringify(
      grants.map(({ user = '', role = '', may }) => [user, role, [...may].sort()]).sort(),
    )
  return text(one) === text(other)
}
