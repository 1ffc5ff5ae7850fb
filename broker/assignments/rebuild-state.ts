import { randomUUID } from 'node:crypto'
import { type Actor, recordEvent } from '../audit/store.js'
import { addMember, refreshMembers } from '../pools/store.js'
import type { Queries } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { nameKey } from '../users/names.js'
import type { DesktopRow } from '../store/tables.js'
import { MachineRestore } from './rebuild-machines.js'
import { type Found, readHost, type RebuildDeps, type Result } from './rebuild-reading.js'
import type { MachineRecord, PoolRecord } from './records.js'

/**
 * Makes machines, generations, pools, grants and assignments of a lost database again from what the
 * domains of the hypervisors carry. What the database has already is left as it is, so that it may
 * be repeated, and run when only a part is missing. `dryRun`: only tells.
 */
export async function rebuildState(deps: RebuildDeps, dryRun: boolean, by: Actor): Promise<Result> {
  const read: Result = { machines: [], generations: [], pools: [], assignments: [], warnings: [] }
  const found: Found[] = []
  for (const hypervisor of deps.hypervisors.names())
    found.push(...(await readHost(deps, hypervisor, read)))
  let result = read
  await inTransaction(deps.store, async (tx) => {
    result = structuredClone(read) // a transaction may be done more than once
    const restore = new Restore(tx, deps, result)
    await restore.all(found)
    if (!dryRun)
      await recordEvent(tx, by, 'state.rebuild', 'berth', {
        machines: result.machines.length,
        pools: result.pools.length,
        assignments: result.assignments.length,
      })
    else throw new DryRun()
  }).catch((error: unknown) => {
    if (!(error instanceof DryRun)) throw error
  })
  if (!dryRun)
    for (const hypervisor of new Set(found.map((one) => one.hypervisor)))
      await deps.observer.lookNow(hypervisor)
  return result
}

class DryRun extends Error {}

/** Restores in the order in which one thing refers to another. */
class Restore {
  constructor(
    readonly tx: Queries,
    readonly deps: RebuildDeps,
    readonly result: Result,
  ) {}

  async all(found: readonly Found[]): Promise<void> {
    await new MachineRestore(this.tx, this.deps, this.result).all(found)
    for (const one of found)
      for (const pool of [...one.record.usedBy, ...one.record.pools]) await this.#pool(pool)
    for (const one of found) await this.#desktop(one)
    for (const one of found) await this.#assignment(one)
    const ids = found.map((one) => one.domain.uuid)
    for (let from = 0; from < ids.length; from += 500)
      await refreshMembers(this.tx, ids.slice(from, from + 500))
  }

  async #pool(record: PoolRecord): Promise<void> {
    const known = await this.tx
      .selectFrom('pool')
      .select('id')
      .where('name', '=', record.name)
      .executeTakeFirst()
    if (known) return
    const initial =
      record.initial === null
        ? undefined
        : await this.tx
            .selectFrom('machine')
            .select('id')
            .where('name', '=', record.initial)
            .executeTakeFirst()
    const id = randomUUID()
    const now = this.deps.now()
    await this.tx
      .insertInto('pool')
      .values({
        id,
        name: record.name,
        namespace: record.namespace,
        initial_id: initial?.id ?? null,
        initial_made: record.initialMade,
        policy: record.policy,
        hardware: record.hardware,
        hypervisors: record.hypervisors,
        size: record.size,
        spares: 0,
        state: 'active',
        maintenance: record.maintenance,
        maintenance_reason: record.maintenanceReason,
        needed_at: now,
        created_at: record.createdAt,
      })
      .execute()
    await this.#grants(id, record.grants, now)
    this.result.pools.push(record.name)
  }

  async #grants(poolId: string, grants: PoolRecord['grants'], now: number): Promise<void> {
    for (const [kind, subject, verbs] of grants) {
      if (kind === 'user' || kind === 'role')
        await this.tx
          .insertInto('permission_grant')
          .values({
            object_kind: 'pool',
            object_id: poolId,
            subject_kind: kind,
            subject_key: kind === 'user' ? nameKey(subject) : subject,
            subject,
            machine_id: null,
            verbs,
            created_at: now,
          })
          .execute()
    }
  }

  /** One that was being cleaned, or of which that is not known, is cleaned again: nobody gets what another one left. */
  async #desktop({ hypervisor, domain, record }: Found): Promise<void> {
    for (const pool of record.pools) {
      const row = await this.#poolOf(pool.name)
      if (row)
        await addMember(
          this.tx,
          row.id,
          { id: domain.uuid, name: domain.name, hypervisor },
          { built: pool.built === 1, state: 'free' },
          this.deps.now(),
        )
    }
    const { desktop } = record
    if (!desktop || !this.result.machines.includes(domain.name)) return
    await this.tx
      .updateTable('desktop')
      .set({
        ...stateAfterRebuild(desktop, record.assignment !== null),
        last_holder: desktop.lastHolder,
        fresh: desktop.fresh,
        used_at: desktop.usedAt,
      })
      .where('machine_id', '=', domain.uuid)
      .execute()
  }

  /** Undefined when there is none of this name. */
  async #poolOf(name: string): Promise<{ id: string } | undefined> {
    return await this.tx.selectFrom('pool').select('id').where('name', '=', name).executeTakeFirst()
  }

  async #assignment({ domain, record }: Found): Promise<void> {
    const { assignment } = record
    if (!assignment || !this.result.machines.includes(domain.name)) return
    const pool = assignment.pool === null ? null : await this.#poolOf(assignment.pool)
    if (pool === undefined) return
    const twice = await this.tx
      .selectFrom('assignment')
      .select('machine_id')
      .where('holder', '=', assignment.holder)
      .where('pool_id', pool === null ? 'is' : '=', pool?.id ?? null)
      .executeTakeFirst()
    if (pool !== null && twice) await this.#free(domain, assignment)
    else await this.#insert(domain, pool?.id ?? null, assignment)
  }

  async #free(
    { name, uuid }: Found['domain'],
    { holder, pool }: NonNullable<MachineRecord['assignment']>,
  ): Promise<void> {
    this.result.warnings.push(
      `${name} says that it is ${holder.replace(/^user:/, '')}'s, who ` +
        `has another desktop of ${pool ?? ''}: it is stopped and free again.`,
    )
    await this.tx
      .updateTable('desktop')
      .set({ state: 'cleaning', unclean: 'stop' })
      .where('machine_id', '=', uuid)
      .execute()
  }

  async #insert(
    domain: Found['domain'],
    poolId: string | null,
    assignment: NonNullable<MachineRecord['assignment']>,
  ): Promise<void> {
    const now = this.deps.now()
    await this.tx
      .insertInto('assignment')
      .values({
        machine_id: domain.uuid,
        pool_id: poolId,
        holder: assignment.holder,
        by_administrator: assignment.byAdministrator,
        fixed: assignment.fixed,
        wanted: 0,
        assigned_at: assignment.assignedAt,
        started_at: assignment.startedAt ?? now,
        ticket_at: null,
        connected_at: null,
        disconnected_at: null,
        extended_at: null,
        session_at: null,
        idle_since: now,
        warned_for: null,
      })
      .execute()
    await this.tx
      .updateTable('desktop')
      .set({ state: 'assigned' })
      .where('machine_id', '=', domain.uuid)
      .execute()
    this.result.assignments.push(`${domain.name} ${assignment.holder.replace(/^user:/, '')}`)
  }
}

/** One that was being cleaned, or whose state is not known, is cleaned again. */
function stateAfterRebuild(
  { state, unclean, fresh }: NonNullable<MachineRecord['desktop']>,
  isAssigned: boolean,
): Pick<DesktopRow, 'state' | 'unclean'> {
  const isClean = (state === 'free' && fresh === 1) || state === 'assigned'
  const left = unclean ?? (isClean ? null : 'stop')
  if (state === 'cleaning' || state === 'failed') return { state, unclean: left }
  return { state: left !== null && !isAssigned ? 'cleaning' : 'free', unclean: left }
}
