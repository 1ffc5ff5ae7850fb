import { type Actor, BERTH, recordEvent } from '../audit/store.js'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import { shownHolder } from '../occupancy/policy.js'
import { enterDesktop, type PoolWithPolicy } from '../pools/store.js'
import type { Queries } from '../store/open.js'
import { afterCommit } from '../store/transaction.js'
import { endAssignment } from './ending.js'
import type { Hosts } from './hosts.js'
import { expiresAt } from './policy.js'
import { leaveQueue } from './queue.js'
import { bestCandidate } from './selection.js'

/** `now`: of the fair clock. */
export interface GivingDeps {
  readonly events: Events
  readonly hosts: Hosts
  readonly now: () => number
}

/** `moved`: in place of another desktop, for which they have not asked. */
export interface AssignWish {
  readonly byAdministrator: boolean
  readonly fixed: boolean
  readonly machineId?: string
  readonly moved?: boolean
}
export const CLAIM: AssignWish = { byAdministrator: false, fixed: false }

/** `pool`: through which it is given; null: by its own name, for good. */
interface Given {
  readonly machineId: string
  readonly pool: Pick<PoolWithPolicy, 'id' | 'name'> | null
  readonly holder: string
  readonly by: Actor
  readonly wish: AssignWish
}

/** Which desktop a holder gets, and that it is theirs. Everything happens inside the caller's transaction. */
export class Giving {
  constructor(readonly deps: GivingDeps) {}

  /**
   * The desktop that they have already: it counts as used now, and is made ready again unless it runs.
   * Who asks again and again, as a waiting screen does, changes nothing. (One whose host is away the
   * keeper exchanges, as long as they have not worked on it.)
   */
  async again(
    tx: Queries,
    pool: PoolWithPolicy,
    holder: string,
    machineId: string,
    wish: AssignWish,
  ): Promise<void> {
    if (wish.machineId !== undefined && wish.machineId !== machineId)
      throw refusal('other_desktop_held', { person: shownHolder(holder), pool: pool.name })
    const now = await tx
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .leftJoin('desktop', 'desktop.machine_id', 'machine.id')
      .select(['assignment.wanted', 'machine.power', 'machine.hypervisor', 'desktop.unclean'])
      .where('assignment.machine_id', '=', machineId)
      .executeTakeFirstOrThrow()
    const ready =
      now.power === 'running' && now.unclean === null && this.deps.hosts.isUp(now.hypervisor)
    const byHand = wish.byAdministrator
      ? { by_administrator: 1 as const, fixed: wish.fixed ? (1 as const) : (0 as const) }
      : {}
    await tx
      .updateTable('assignment')
      .set({
        idle_since: this.deps.now(),
        ...(ready || now.wanted === 1 ? {} : { wanted: 1 as const, starts_failed: 0 }),
        ...byHand,
      })
      .where('machine_id', '=', machineId)
      .execute()
    if (!ready && now.wanted === 0) this.#tell(tx, machineId)
  }

  /** Takes the best desktop there is; null when there is none. */
  async give(
    tx: Queries,
    pool: PoolWithPolicy,
    holder: string,
    by: Actor,
    wish: AssignWish,
    except: readonly string[] = [],
  ): Promise<string | null> {
    const own = wish.machineId === undefined ? await this.#keptFor(tx, pool, holder) : null
    const machineId = wish.machineId ?? own ?? (await this.#bestOf(tx, pool, except))
    if (machineId === null) return null
    const change = own === machineId ? { unclean: null } : {}
    if (!(await enterDesktop(tx, machineId, 'assigned', change, this.deps.now(), ['free']))) {
      if (wish.machineId === undefined) return null
      throw await notFree(tx, machineId, pool)
    }
    await this.record(tx, { machineId, pool, holder, by, wish })
    return machineId
  }

  /** What the holder had last, where the pool keeps that for them. */
  async #keptFor(tx: Queries, pool: PoolWithPolicy, holder: string): Promise<string | null> {
    if (pool.policy.onRelease !== 'keep' && pool.policy.onExpiry !== 'keep') return null
    const hosts = this.deps.hosts.usable().map((host) => host.hypervisor)
    return await keptFor(tx, pool, holder, hosts)
  }

  /**
   * The clean ones first, then those that are cleaned before they are given, then what is kept for
   * somebody whose time is over.
   */
  async #bestOf(
    tx: Queries,
    pool: PoolWithPolicy,
    except: readonly string[],
  ): Promise<string | null> {
    const hosts = this.deps.hosts.usable()
    for (const claimable of [1, 2] as const) {
      const best = await bestCandidate(tx, pool.id, hosts, claimable, except)
      if (best) return best.machine_id
    }
    return pool.policy.onExpiry === 'keep' ? await this.#takeExpired(tx, pool) : null
  }

  /**
   * Of a pool that keeps expired desktops for their holders: the one that expired first goes to who
   * needs it. It is stopped before they see it.
   */
  async #takeExpired(tx: Queries, pool: PoolWithPolicy): Promise<string | null> {
    const rows = await tx
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .selectAll('assignment')
      .select(['machine.hypervisor', 'machine.maintenance'])
      .where('pool_id', '=', pool.id)
      .where('connected', '=', 0)
      .where('fixed', '=', 0)
      .orderBy('idle_since')
      .limit(20)
      .execute()
    const expired = rows.find(
      (row) =>
        (expiresAt(row, pool.policy) ?? Infinity) <= this.deps.now() &&
        row.maintenance === 0 &&
        this.deps.hosts.isMachineSettled({ id: row.machine_id, hypervisor: row.hypervisor }),
    )
    if (!expired) return null
    const wish = { force: false, because: 'expired', how: 'keep' } as const
    await endAssignment(this.deps, tx, expired, pool, BERTH, wish)
    return expired.machine_id
  }

  /** Records that the machine is theirs. Throws `assigned` when it is somebody's already. */
  async record(tx: Queries, given: Given): Promise<void> {
    const { machineId, pool, holder, by, wish } = given
    const now = this.deps.now()
    const machine = await tx
      .selectFrom('machine')
      .select(['name', 'hypervisor', 'memory_mib'])
      .where('id', '=', machineId)
      .executeTakeFirstOrThrow()
    const { numInsertedOrUpdatedRows } = await tx
      .insertInto('assignment')
      .values(newAssignment(given, now))
      .onConflict((oc) => oc.doNothing())
      .executeTakeFirst()
    if (numInsertedOrUpdatedRows !== 1n)
      throw refusal('desktop_held_by_somebody', { machine: machine.name })
    // Also of whom an administrator gives one out of turn: else it would be their turn once more.
    const since = pool === null ? null : await leaveQueue(tx, pool.id, holder)
    // Who was given one unasked has not waited, and does not count as one who got it at once.
    const waited =
      since !== null
        ? { waitedMs: Math.max(0, now - since) }
        : pool === null || wish.byAdministrator || wish.moved === true
          ? {}
          : { waitedMs: 0 }
    await recordEvent(tx, by, 'desktop.assign', `machine:${machine.name}`, {
      pool: pool?.name ?? '',
      holder: shownHolder(holder),
      ...waited,
    })
    // At once, since the next claim may share the commit and is to find another host; if that
    // fails, the next count puts it right.
    this.deps.hosts.noteGiven(machine.hypervisor, machine.memory_mib)
    this.#tell(tx, machineId)
  }

  #tell(tx: Queries, machineId: string): void {
    afterCommit(tx, () => {
      this.deps.events.publish('assignmentChanged', machineId)
    })
  }
}

/** Why a desktop that was asked for by name cannot be given. */
async function notFree(tx: Queries, machineId: string, pool: PoolWithPolicy): Promise<BrokerError> {
  const row = await tx
    .selectFrom('desktop')
    .innerJoin('machine', 'machine.id', 'desktop.machine_id')
    .leftJoin('assignment', 'assignment.machine_id', 'desktop.machine_id')
    .select(['machine.name', 'desktop.state', 'assignment.holder'])
    .where('desktop.machine_id', '=', machineId)
    .executeTakeFirstOrThrow()
  if (row.holder !== null)
    return refusal('desktop_held', { person: shownHolder(row.holder), machine: row.name })
  return refusal('desktop_not_free', { machine: row.name, state: row.state, pool: pool.name })
}

/** What a pool that keeps desktops still has from their last time. */
async function keptFor(
  tx: Queries,
  pool: PoolWithPolicy,
  holder: string,
  hosts: readonly string[],
): Promise<string | null> {
  if (hosts.length === 0) return null
  const kept = await tx
    .selectFrom('desktop')
    .innerJoin('pool_member', 'pool_member.machine_id', 'desktop.machine_id')
    .select('desktop.machine_id')
    .where('last_holder', '=', holder)
    .where('state', '=', 'free')
    .where('unclean', 'is not', null)
    .where('pool_member.pool_id', '=', pool.id)
    .where('pool_member.claimable', '>', 0)
    .where('pool_member.hypervisor', 'in', [...hosts])
    .orderBy('desktop.used_at', 'desc')
    .executeTakeFirst()
  return kept?.machine_id ?? null
}

function newAssignment({ machineId, pool, holder, wish }: Given, now: number) {
  return {
    machine_id: machineId,
    pool_id: pool?.id ?? null,
    holder,
    by_administrator: wish.byAdministrator ? (1 as const) : (0 as const),
    fixed: wish.fixed ? (1 as const) : (0 as const),
    wanted: 1 as const,
    assigned_at: now,
    started_at: null,
    ticket_at: null,
    connected_at: null,
    disconnected_at: null,
    extended_at: null,
    session_at: null,
    idle_since: now,
    warned_for: null,
  }
}
