import { stringify } from 'yaml'
import type { ApplyResult, Pool, PoolPolicy } from '../api/pools.js'
import type { Actor } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import { requireMachine } from '../machines/store.js'
import type { Store } from '../store/open.js'
import { API_VERSION, readDocuments, refusal, type Wanted, type WantedGrant, type WantedPool } from './document-forms.js'
import { changedPolicy, defaultPolicy, faultsOfPolicy, resizedPolicy } from './policy.js'
import type { Hardware, Pools } from './service.js'

export interface DocumentsDeps {
  readonly store: Store
  readonly pools: Pools
  /** The grants on a pool, as the room that keeps them has them. */
  readonly grantsOf: (poolName: string) => Promise<WantedGrant[]>
  readonly setGrants: (poolName: string, grants: readonly WantedGrant[], by: Actor) => Promise<void>
}

type Change = ApplyResult['changes'][number]

/** Pools as documents: what a file says becomes what is, and what is can be written as a file. */
export class Documents {
  constructor (readonly deps: DocumentsDeps) {}

  /** Creates and changes what the documents name; what they do not name stays. `dryRun`: only tells. */
  async apply (yaml: string, dryRun: boolean, by: Actor): Promise<ApplyResult> {
    const wanted = readDocuments(yaml)
    await this.#refuseUnknown(wanted)
    const existing = await this.deps.pools.list()
    refuseBadPolicies(wanted, existing)
    const result: ApplyResult = { changes: [], jobs: [], warnings: [...wanted.warnings, ...await this.#unchangeable(wanted)] }
    for (const pool of wanted.pools) result.changes.push(await this.#applyPool(pool, existing.find((one) => one.name.toLowerCase() === pool.name.toLowerCase()), dryRun, by, result.jobs))
    for (const machine of wanted.machines) result.changes.push(await this.#applyMachine(machine, dryRun, by))
    return result
  }

  /** Before anything is done: every machine and pool that the documents name must be there. */
  async #refuseUnknown (wanted: Wanted): Promise<void> {
    const existing = new Set((await this.deps.pools.list()).map((pool) => pool.name.toLowerCase()))
    const named = new Set(wanted.pools.map((pool) => pool.name.toLowerCase()))
    if (named.size < wanted.pools.length) throw new BrokerError('invalid_request', 'A pool is described twice: leave one description out.')
    for (const machine of wanted.machines) {
      await requireMachine(this.deps.store, machine.name)
      const unknown = machine.pools.find((pool) => !existing.has(pool.toLowerCase()) && !named.has(pool.toLowerCase()))
      if (unknown !== undefined) throw new BrokerError('not_found', `${machine.name} names the pool ${unknown}, which does not exist: describe it in the same file.`)
    }
    for (const pool of wanted.pools) for (const machine of [...pool.members ?? [], ...pool.from === undefined || existing.has(pool.name.toLowerCase()) ? [] : [pool.from]]) await requireMachine(this.deps.store, machine)
  }

  /** What a pool was made with and keeps: a document that says otherwise is told so. */
  async #unchangeable (wanted: Wanted): Promise<string[]> {
    const made = await this.#madeWith()
    return wanted.pools.flatMap(({ name, namespace, from, settings }) => {
      const before = made.get(name.toLowerCase())
      if (!before) return []
      const after: Record<string, unknown> = { ...settings, ...(from === undefined || from === before['initial'] ? {} : { from }), ...(namespace === undefined ? {} : { namespace }) }
      const other = Object.entries(after).filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(before[field]))
      return other.map(([field, value]) => `The pool ${name} stays with ${field} ${String(before[field] ?? '') || 'as it was'}, not ${String(value)}: that is said when a pool is created.`)
    })
  }

  /** By the pool's name in small letters: what was said at its creation. */
  async #madeWith (): Promise<Map<string, Record<string, unknown>>> {
    const rows = await this.deps.store.selectFrom('pool').leftJoin('machine', 'machine.id', 'pool.initial_id').select(['pool.name', 'pool.namespace', 'pool.hardware', 'pool.hypervisors', 'machine.name as initial']).execute()
    return new Map(rows.map(({ name, namespace, hardware, hypervisors, initial }) => {
      const { golden, ...rest } = JSON.parse(hardware) as Hardware
      const hosts = JSON.parse(hypervisors) as string[]
      return [name.toLowerCase(), { ...rest, namespace, initial, from: golden ?? initial ?? undefined, ...(hosts.length === 0 ? {} : { hypervisors: hosts }) }]
    }))
  }

  async #applyPool (wanted: WantedPool, pool: Pool | undefined, dryRun: boolean, by: Actor, jobs: string[]): Promise<Change> {
    const fields = [...fieldsOf(wanted, pool), ...await this.#grantFields(wanted, pool), ...await this.#memberFields(wanted, pool)]
    const change: Change = { object: `pool/${wanted.name}`, action: pool ? fields.length > 0 ? 'change' : 'none' : 'create', fields }
    if (dryRun || change.action === 'none') return change
    const { namespace, from, size, settings, policy } = wanted
    if (!pool) {
      const { job } = await this.deps.pools.create({ name: wanted.name, ...settings, policy, ...(namespace === undefined ? {} : { namespace }), ...(from === undefined ? {} : { from }), ...(size === undefined ? {} : { size }) }, by)
      if (job !== null) jobs.push(job)
    } else if (fields.some(({ field }) => field !== 'permissions' && field !== 'members')) {
      const { job } = await this.deps.pools.change(wanted.name, { policy, ...(size === undefined || size === pool.size ? {} : { size }) }, by)
      if (job !== null) jobs.push(job)
    }
    if (wanted.permissions !== undefined) await this.deps.setGrants(wanted.name, wanted.permissions, by)
    await this.#setMembers(wanted, by)
    return change
  }

  async #grantFields (wanted: WantedPool, pool: Pool | undefined): Promise<Change['fields']> {
    if (wanted.permissions === undefined) return []
    const before = pool ? await this.deps.grantsOf(pool.name) : []
    return sameGrants(before, wanted.permissions) ? [] : [{ field: 'permissions', before, after: wanted.permissions }]
  }

  async #memberFields (wanted: WantedPool, pool: Pool | undefined): Promise<Change['fields']> {
    if (wanted.members === undefined) return []
    const before = pool ? await this.#byHand(pool.name) : []
    return [...before].sort().join() === [...wanted.members].sort().join() ? [] : [{ field: 'members', before, after: wanted.members }]
  }

  async #byHand (poolName: string): Promise<string[]> { return (await this.deps.pools.show(poolName)).members.filter((member) => !member.built).map((member) => member.machine) }

  async #setMembers (wanted: WantedPool, by: Actor): Promise<void> {
    if (wanted.members === undefined) return
    const before = await this.#byHand(wanted.name)
    for (const machine of wanted.members.filter((one) => !before.includes(one))) await this.deps.pools.add(wanted.name, machine, by)
    for (const machine of before.filter((one) => !wanted.members?.includes(one))) await this.deps.pools.take(wanted.name, machine, by)
  }

  /** The pools that a machine names, and no others, have it as a member by hand. */
  async #applyMachine ({ name, pools }: { name: string, pools: readonly string[] }, dryRun: boolean, by: Actor): Promise<Change> {
    const rows = await this.deps.store.selectFrom('pool_member').innerJoin('pool', 'pool.id', 'pool_member.pool_id').innerJoin('machine', 'machine.id', 'pool_member.machine_id').select(['pool.name', 'pool_member.built']).where('machine.name', '=', name).orderBy('pool.name').execute()
    const has = (pool: string, among: readonly string[]): boolean => among.some((one) => one.toLowerCase() === pool.toLowerCase())
    const before = rows.map((row) => row.name)
    const missing = pools.filter((pool) => !has(pool, before))
    const over = rows.filter((row) => row.built === 0 && !has(row.name, pools)).map((row) => row.name)
    if (!dryRun) {
      for (const pool of missing) await this.deps.pools.add(pool, name, by)
      for (const pool of over) await this.deps.pools.take(pool, name, by)
    }
    const changed = missing.length + over.length > 0
    return { object: `machine/${name}`, action: changed ? 'change' : 'none', fields: changed ? [{ field: 'pools', before, after: [...before.filter((pool) => !over.includes(pool)), ...missing] }] : [] }
  }

  /** Every pool as a document that `apply` takes again. */
  async export (): Promise<string> {
    const pools = await this.deps.pools.list()
    const madeWith = await this.#madeWith()
    const documents = await Promise.all(pools.map(async (pool) => {
      const { namespace: _, initial: __, from, ...made } = madeWith.get(pool.name.toLowerCase()) ?? {}
      const members = await this.#byHand(pool.name)
      const permissions = await this.deps.grantsOf(pool.name)
      return stringify({
        apiVersion: API_VERSION, kind: 'Pool', metadata: { name: pool.name, ...(pool.namespace === '' ? {} : { namespace: pool.namespace }) },
        spec: { ...(from === undefined ? {} : { from }), size: pool.size, ...made, ...differing(pool.policy), ...(permissions.length === 0 ? {} : { permissions }), ...(members.length === 0 ? {} : { members }) },
      }, { lineWidth: 0 })
    }))
    return documents.join('---\n')
  }
}

/** Before anything is done: what only the whole policy shows, of all pools at once. */
function refuseBadPolicies (wanted: Wanted, existing: readonly Pool[]): void {
  const faults = wanted.pools.flatMap(({ name, size, policy, line }) => {
    const pool = existing.find((one) => one.name.toLowerCase() === name.toLowerCase())
    const before = pool ? resizedPolicy(pool.policy, size === pool.size ? undefined : size) : { ...defaultPolicy(), min: size ?? 0 }
    return faultsOfPolicy(changedPolicy(before, policy)).map(({ field, fault }) => ({ line, message: `${name}: ${field} ${fault}` }))
  })
  if (faults.length > 0) throw refusal(faults)
}

function fieldsOf (wanted: WantedPool, pool: Pool | undefined): Change['fields'] {
  const before: Record<string, unknown> = pool ? { ...pool.policy, size: pool.size, namespace: pool.namespace } : {}
  const after: Record<string, unknown> = { ...wanted.policy, ...(wanted.size === undefined ? {} : { size: wanted.size }), ...(pool || wanted.namespace === undefined ? {} : { namespace: wanted.namespace }) }
  return Object.entries(after).filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(before[field])).map(([field, value]) => ({ field, before: before[field] ?? null, after: value }))
}

function sameGrants (one: readonly WantedGrant[], other: readonly WantedGrant[]): boolean {
  const text = (grants: readonly WantedGrant[]): string => JSON.stringify(grants.map(({ user = '', role = '', may }) => [user, role, [...may].sort()]).sort())
  return text(one) === text(other)
}

/** Of a policy, what is not as it is by itself. */
function differing (policy: PoolPolicy): Partial<PoolPolicy> {
  const defaults = defaultPolicy()
  return Object.fromEntries(Object.entries(policy).filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(defaults[field as keyof PoolPolicy])))
}
