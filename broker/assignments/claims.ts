import type { Cleaning } from '../api/pools.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import type { Events } from '../events/bus.js'
import { shownHolder } from '../occupancy/policy.js'
import { enterDesktop, poolById, type PoolWithPolicy, requirePool } from '../pools/store.js'
import { uncleanAfter } from '../pools/policy.js'
import { GroupedWrites } from '../store/grouped-writes.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { AssignmentRow } from '../store/tables.js'
import type { Hosts } from './hosts.js'
import { expiresAt } from './policy.js'
import { headOfQueue, leaveQueue, wait } from './queue.js'
import { bestCandidate } from './selection.js'

/** `now`: of the fair clock. */
export interface ClaimsDeps {
  readonly store: Store
  readonly events: Events
  readonly hosts: Hosts
  readonly now: () => number
}

/**
 * What a claim gives: a desktop, or a place in the queue. `changed`: it was given now, or is to be
 * made ready again.
 */
export type Claimed =
  | { readonly machineId: string; readonly changed: boolean; readonly queue: null }
  | {
      readonly machineId: null
      readonly queue: { place: number; since: number; sentence: string; nextFreeAt: number | null }
    }

/** `moved`: in place of another desktop, for which they have not asked. */
export interface AssignWish {
  readonly byAdministrator: boolean
  readonly fixed: boolean
  readonly machineId?: string
  readonly moved?: boolean
}
/** `still`: asked in the transaction whether it is to end after all; its holder may have come back in this moment. */
export interface ReleaseWish {
  readonly force: boolean
  readonly because: string
  readonly how?: Cleaning
  readonly still?: (held: AssignmentRow) => boolean
}

/**
 * What a transaction causes outside of the database. `ended`: whose time was over, and whose
 * desktop another one got.
 */
interface Effects {
  readonly ended: string[]
  readonly given: Array<{ readonly hypervisor: string; readonly memoryMib: number }>
}
type Claiming = Queries & { readonly effects: Effects }

const CLAIM: AssignWish = { byAdministrator: false, fixed: false }

/**
 * Who has which desktop of a pool. Each wish is done whole or not at all: two people never get the
 * same, and one person never two of one pool.
 */
export class Claims {
  /** A class or a hospital claims within minutes: those that come at one moment share the wait for the disk. */
  readonly #writes: GroupedWrites

  constructor(readonly deps: ClaimsDeps) {
    this.#writes = new GroupedWrites(deps.store)
  }

  /**
   * Gives the holder (`user:NAME`, `thin-client:ID`) their desktop of the pool: the one they have, or
   * the best free one. Throws `pool_exhausted` when all are taken and `queue` is false,
   * `maintenance`, `too_many_desktops`.
   */
  async claim(
    poolName: string,
    holder: string,
    by: Actor,
    queue: boolean,
    wish: AssignWish = CLAIM,
  ): Promise<Claimed> {
    const startMs = performance.now()
    const claimed = await this.#committed(
      async (tx) =>
        await this.#claimIn(tx, await requirePool(tx, poolName), holder, by, queue, wish),
    ).catch((error: unknown) => {
      this.deps.events.publish(
        'claimAnswered',
        error instanceof BrokerError ? error.code : 'internal',
        performance.now() - startMs,
      )
      throw error
    })
    this.deps.events.publish(
      'claimAnswered',
      claimed.machineId === null ? 'queued' : 'given',
      performance.now() - startMs,
    )
    if (claimed.machineId !== null && claimed.changed)
      this.deps.events.publish('assignmentChanged', claimed.machineId)
    return claimed
  }

  /**
   * For the head of the queue, as `claim`. dropped: they wait no more, since they have as many desktops
   * as they may; none: there is none for them yet.
   */
  async claimForWaiter(
    poolId: string,
    holder: string,
    by: Actor,
  ): Promise<'given' | 'dropped' | 'none'> {
    const outcome = await this.#committed(
      async (tx): Promise<{ given: string } | 'dropped' | 'none'> => {
        const pool = await poolById(tx, poolId)
        if (
          !pool ||
          pool.maintenance === 1 ||
          pool.state === 'deleting' ||
          (await headOfQueue(tx, poolId, this.deps.now())) !== holder
        )
          return 'none'
        const held = await tx
          .selectFrom('assignment')
          .select('pool_id')
          .where('holder', '=', holder)
          .execute()
        if (held.length >= pool.policy.maxPerUser) {
          await leaveQueue(tx, poolId, holder)
          return 'dropped'
        }
        const given = await this.#give(tx, pool, holder, by, CLAIM)
        return given === null ? 'none' : { given }
      },
    )
    if (typeof outcome === 'string') return outcome
    this.deps.events.publish('assignmentChanged', outcome.given)
    return 'given'
  }

  /**
   * All of it or nothing; what it causes outside of the database happens when it is committed, and
   * not when it is rolled back.
   */
  async #committed<T>(act: (tx: Claiming) => Promise<T>): Promise<T> {
    const { result, effects } = await this.#writes.write(async (tx) => {
      const effects: Effects = { ended: [], given: [] }
      const result = await act(Object.assign(tx, { effects }))
      // At once, since the next claim may share the commit and is to find another host; if that
      // fails, the next count puts it right.
      for (const { hypervisor, memoryMib } of effects.given)
        this.deps.hosts.noteGiven(hypervisor, memoryMib)
      return { result, effects }
    })
    for (const machineId of effects.ended) {
      this.deps.events.publish('assignmentEnded', machineId)
      this.deps.events.publish('assignmentReleased', 'expired')
    }
    return result
  }

  async #claimIn(
    tx: Claiming,
    pool: PoolWithPolicy,
    holder: string,
    by: Actor,
    queue: boolean,
    wish: AssignWish,
  ): Promise<Claimed> {
    const { now } = this.deps
    if (pool.state === 'deleting')
      throw new BrokerError('not_found', `The pool ${pool.name} is being deleted.`)
    const held = await tx
      .selectFrom('assignment')
      .select(['machine_id', 'pool_id'])
      .where('holder', '=', holder)
      .execute()
    const mine = held.find((row) => row.pool_id === pool.id)
    if (mine)
      return {
        machineId: mine.machine_id,
        changed: await this.#again(tx, pool, holder, mine.machine_id, wish),
        queue: null,
      }
    if (pool.maintenance === 1)
      throw new BrokerError(
        'maintenance',
        `${pool.name} is in ` +
          `maintenance${pool.maintenance_reason === '' ? '' : `: ${pool.maintenance_reason}`}. ` +
          'It is handed out again when that ends.',
      )
    refuseTooMany(pool, holder, held.length)
    const head = await headOfQueue(tx, pool.id, now())
    const given =
      head === null || head === holder || wish.byAdministrator
        ? await this.#give(tx, pool, holder, by, wish)
        : null
    if (given !== null) return { machineId: given, changed: true, queue: null }
    const { sentence, nextFreeAt } = await this.#exhausted(tx, pool)
    if (!queue) throw new BrokerError('pool_exhausted', sentence)
    return {
      machineId: null,
      queue: { ...(await wait(tx, pool.id, holder, now())), sentence, nextFreeAt },
    }
  }

  /**
   * The desktop that they have already: it counts as used now, and is made ready again unless it runs.
   * Gives whether that has to begin; who asks again and again, as a waiting screen does, changes
   * nothing. (One whose host is away the keeper exchanges, as long as they have not worked on it.)
   */
  async #again(
    tx: Queries,
    pool: PoolWithPolicy,
    holder: string,
    machineId: string,
    wish: AssignWish,
  ): Promise<boolean> {
    if (wish.machineId !== undefined && wish.machineId !== machineId)
      throw new BrokerError(
        'assigned',
        `${shownHolder(holder)} has another desktop of ${pool.name} already: release that first.`,
      )
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
    return !ready && now.wanted === 0
  }

  /** Takes the best desktop there is; null when there is none. */
  async #give(
    tx: Claiming,
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
      throw await this.#notFree(tx, machineId, pool)
    }
    await this.#insert(tx, machineId, pool.id, holder, by, wish, pool.name)
    return machineId
  }

  /** What the holder had last, where the pool keeps that for them. */
  async #keptFor(tx: Claiming, pool: PoolWithPolicy, holder: string): Promise<string | null> {
    if (pool.policy.onRelease !== 'keep' && pool.policy.onExpiry !== 'keep') return null
    const hosts = this.deps.hosts.usable().map((host) => host.hypervisor)
    return await this.#keptForHim(tx, pool, holder, hosts)
  }

  /**
   * The clean ones first, then those that are cleaned before they are given, then what is kept for
   * somebody whose time is over.
   */
  async #bestOf(
    tx: Claiming,
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

  /** Why a desktop that was asked for by name cannot be given. */
  async #notFree(tx: Queries, machineId: string, pool: PoolWithPolicy): Promise<BrokerError> {
    const row = await tx
      .selectFrom('desktop')
      .innerJoin('machine', 'machine.id', 'desktop.machine_id')
      .leftJoin('assignment', 'assignment.machine_id', 'desktop.machine_id')
      .select(['machine.name', 'desktop.state', 'assignment.holder'])
      .where('desktop.machine_id', '=', machineId)
      .executeTakeFirstOrThrow()
    if (row.holder !== null)
      return new BrokerError(
        'assigned',
        `${shownHolder(row.holder)} has ${row.name}: release it first with "berth release ${row.name}".`,
      )
    return new BrokerError(
      'assigned',
      `${row.name} is ${row.state}, not free: "berth pool show ${pool.name}" tells why.`,
    )
  }

  async #insert(
    tx: Claiming,
    machineId: string,
    poolId: string | null,
    holder: string,
    by: Actor,
    wish: AssignWish,
    poolName: string,
  ): Promise<void> {
    const now = this.deps.now()
    const machine = await tx
      .selectFrom('machine')
      .select(['name', 'hypervisor', 'memory_mib'])
      .where('id', '=', machineId)
      .executeTakeFirstOrThrow()
    const { numInsertedOrUpdatedRows } = await tx
      .insertInto('assignment')
      .values({
        machine_id: machineId,
        pool_id: poolId,
        holder,
        by_administrator: wish.byAdministrator ? 1 : 0,
        fixed: wish.fixed ? 1 : 0,
        wanted: 1,
        assigned_at: now,
        started_at: null,
        ticket_at: null,
        connected_at: null,
        disconnected_at: null,
        extended_at: null,
        session_at: null,
        idle_since: now,
        warned_for: null,
      })
      .onConflict((oc) => oc.doNothing())
      .executeTakeFirst()
    if (numInsertedOrUpdatedRows !== 1n)
      throw new BrokerError(
        'assigned',
        `${machine.name} is somebody's already: release it first with "berth release ${machine.name}".`,
      )
    // Also of whom an administrator gives one out of turn: else it would be their turn once more.
    const since = poolId === null ? null : await leaveQueue(tx, poolId, holder)
    tx.effects.given.push({ hypervisor: machine.hypervisor, memoryMib: machine.memory_mib })
    // Who was given one unasked has not waited, and does not count as one who got it at once.
    const waited =
      since !== null
        ? { waitedMs: Math.max(0, now - since) }
        : poolId === null || wish.byAdministrator || wish.moved === true
          ? {}
          : { waitedMs: 0 }
    await recordEvent(tx, by, 'desktop.assign', `machine:${machine.name}`, {
      pool: poolName,
      holder: shownHolder(holder),
      ...waited,
    })
  }

  /** What a pool that keeps desktops still has from their last time. */
  async #keptForHim(
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

  /**
   * Of a pool that keeps expired desktops for their holders: the one that expired first goes to who
   * needs it. It is stopped before they see it.
   */
  async #takeExpired(tx: Claiming, pool: PoolWithPolicy): Promise<string | null> {
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
    await this.#end(
      tx,
      expired,
      pool,
      { actor: 'berth', address: '' },
      { force: false, because: 'expired', how: 'keep' },
    )
    tx.effects.ended.push(expired.machine_id)
    return expired.machine_id
  }

  /** In words: that there is none, who may free one, and when. */
  async #exhausted(
    tx: Queries,
    pool: PoolWithPolicy,
  ): Promise<{ sentence: string; nextFreeAt: number | null }> {
    const held = await tx
      .selectFrom('assignment')
      .selectAll()
      .where('pool_id', '=', pool.id)
      .orderBy('connected')
      .orderBy('idle_since')
      .limit(50)
      .execute()
    const { count } = await tx
      .selectFrom('pool_member')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('pool_id', '=', pool.id)
      .executeTakeFirstOrThrow()
    if (Number(count) === 0)
      return {
        sentence: `${pool.name} has no desktops yet. Ask the administrator.`,
        nextFreeAt: null,
      }
    const next = held
      .map((row) => ({ row, at: expiresAt(row, pool.policy) }))
      .filter((one): one is { row: AssignmentRow; at: number } => one.at !== null)
      .sort((a, b) => a.at - b.at)[0]
    const when = next
      ? 'the next may become free ' +
        `at ${new Date(Math.max(next.at, this.deps.now())).toISOString().slice(0, 16).replace('T', ' ')} ` +
        "UTC, when somebody's time is over"
      : held.length > 0
        ? `one of those who have them may release one`
        : 'those that are left are being made ready, in maintenance, failed, or on a hypervisor that does not answer'
    return {
      sentence: `${pool.name} has no free desktop (${held.length} of ${Number(count)} are assigned): ${when}.`,
      nextFreeAt: next?.at ?? null,
    }
  }

  /**
   * A machine outside of pools becomes somebody's, for good. Throws `assigned` while it is another
   * one's for good, or another one is connected.
   */
  async dedicate(machine: { id: string; name: string }, holder: string, by: Actor): Promise<void> {
    const before = await this.#committed(async (tx) => {
      const held = await tx
        .selectFrom('assignment')
        .select(['holder', 'fixed', 'connected'])
        .where('machine_id', '=', machine.id)
        .executeTakeFirst()
      if (held?.fixed === 1 && held.holder === holder) return holder
      if (held) this.#refuseOther(machine, held, holder)
      await tx.deleteFrom('assignment').where('machine_id', '=', machine.id).execute()
      await this.#insert(
        tx,
        machine.id,
        null,
        holder,
        by,
        { byAdministrator: true, fixed: true },
        '',
      )
      return held?.holder ?? holder
    })
    if (before !== holder) this.deps.events.publish('assignmentEnded', machine.id)
    this.deps.events.publish('assignmentChanged', machine.id)
  }

  /** Throws `assigned` where the machine is another one's for good, or another one may be connected. */
  #refuseOther(
    { id, name }: { readonly id: string; readonly name: string },
    held: { readonly holder: string; readonly fixed: number; readonly connected: number },
    holder: string,
  ): void {
    const who = shownHolder(held.holder)
    const first = `release it first with "berth release ${name}`
    if (held.fixed === 1) throw new BrokerError('assigned', `${name} is ${who}'s: ${first}".`)
    if (held.holder === holder) return
    const unknown = this.#unknownUse(id)
    if (unknown !== null)
      throw new BrokerError(
        'assigned',
        `It is not known whether ${who} is connected to ${name}: ${unknown} ` +
          `${first.replace('release', 'Release')} --force".`,
      )
    if (held.connected === 1)
      throw new BrokerError('assigned', `${who} is connected to ${name}: ${first} --force".`)
  }

  /**
   * Ends the assignment. Throws `assigned` while a viewer is connected, unless forced; `not_found`
   * when nobody has it.
   */
  async release(
    machine: { id: string; name: string },
    by: Actor,
    wish: ReleaseWish,
  ): Promise<void> {
    const poolId = await this.#writes.write(async (tx) => {
      const held = await tx
        .selectFrom('assignment')
        .selectAll()
        .where('machine_id', '=', machine.id)
        .executeTakeFirst()
      if (!held)
        throw new BrokerError(
          'not_found',
          `Nobody has ${machine.name}: there is nothing to release.`,
        )
      if (wish.still?.(held) === false)
        throw new BrokerError(
          'assigned',
          `${shownHolder(held.holder)} came back to ${machine.name} in this moment.`,
        )
      if (held.connected === 1 && !wish.force)
        throw new BrokerError(
          'assigned',
          `${shownHolder(held.holder)} is connected to ${machine.name}: use --force to take it all the same.`,
        )
      const unknown = wish.force || untouched(held) ? null : this.#unknownUse(machine.id)
      if (unknown !== null)
        throw new BrokerError(
          'assigned',
          `It is not known whether ${shownHolder(held.holder)} is connected ` +
            `to ${machine.name}: ${unknown} Use --force to take it all the same.`,
        )
      await this.#end(
        tx,
        held,
        held.pool_id === null ? null : await poolById(tx, held.pool_id),
        by,
        wish,
      )
      return held.pool_id
    })
    this.deps.events.publish('assignmentChanged', machine.id)
    this.deps.events.publish('assignmentEnded', machine.id)
    this.deps.events.publish('assignmentReleased', wish.because)
    if (poolId !== null) this.deps.events.publish('poolFreed', poolId)
  }

  /** Deletes the assignment and says what happens to the desktop before the next person gets it. */
  async #end(
    tx: Queries,
    held: AssignmentRow,
    pool: PoolWithPolicy | null,
    by: Actor,
    wish: ReleaseWish,
  ): Promise<void> {
    const now = this.deps.now()
    const machine = await tx
      .selectFrom('machine')
      .select(['name', 'power', 'parent_id'])
      .where('id', '=', held.machine_id)
      .executeTakeFirstOrThrow()
    await tx.deleteFrom('assignment').where('machine_id', '=', held.machine_id).execute()
    await recordEvent(tx, by, 'desktop.release', `machine:${machine.name}`, {
      pool: pool?.name ?? null,
      holder: shownHolder(held.holder),
      because: wish.because,
    })
    if (pool === null) return
    const how = wish.how ?? pool.policy.onRelease
    if (untouched(held))
      return void (await enterDesktop(tx, held.machine_id, 'free', {}, now, ['assigned']))
    const rest = {
      unclean:
        how === 'rebuild' && machine.parent_id === null ? ('stop' as const) : uncleanAfter(how),
      last_holder: held.holder,
      fresh: 0 as const,
      used_at: now,
      tries: 0,
      retry_at: 0,
    }
    await enterDesktop(tx, held.machine_id, how === 'keep' ? 'free' : 'cleaning', rest, now, [
      'assigned',
    ])
  }

  /** A sentence that says why it is not known who uses the machine, or null. */
  #unknownUse(machineId: string): string | null {
    const unknown = this.deps.hosts.unknownUse(machineId)
    return unknown === null ? null : `${unknown.replace(/\.$/, '')}.`
  }

  /**
   * The holder gets another desktop; what was wrong with this one stands in `because`. False when
   * there is no other: then they keep it and wait.
   */
  async move(machineId: string, because: string, failed: boolean, by: Actor): Promise<boolean> {
    const to = await this.#committed(async (tx) => {
      const held = await tx
        .selectFrom('assignment')
        .selectAll()
        .where('machine_id', '=', machineId)
        .executeTakeFirst()
      const pool = held?.pool_id == null ? null : await poolById(tx, held.pool_id)
      if (!held || !pool) return null
      await tx.deleteFrom('assignment').where('machine_id', '=', machineId).execute()
      const given = await this.#give(
        tx,
        pool,
        held.holder,
        by,
        { byAdministrator: held.by_administrator === 1, fixed: held.fixed === 1, moved: true },
        [machineId],
      )
      if (given === null) {
        await tx.insertInto('assignment').values(held).execute()
        return null
      }
      const change = {
        unclean: held.started_at === null ? ('stop' as const) : uncleanAfter(pool.policy.onRelease),
        last_holder: held.holder,
        tries: 0,
        retry_at: 0,
      }
      await enterDesktop(
        tx,
        machineId,
        failed ? 'failed' : 'cleaning',
        failed
          ? { ...change, reason: `${because[0]?.toUpperCase() ?? ''}${because.slice(1)}.` }
          : change,
        this.deps.now(),
        ['assigned'],
      )
      await recordEvent(tx, by, 'desktop.move', `pool:${pool.name}`, {
        holder: shownHolder(held.holder),
        because,
      })
      return given
    })
    if (to === null) return false
    this.deps.events.publish('assignmentChanged', machineId)
    this.deps.events.publish('assignmentEnded', machineId)
    this.deps.events.publish('assignmentChanged', to)
    return true
  }

  /** The holder wants more time; also a session that was warned goes on from now. */
  async extend(machine: { id: string; name: string }, by: Actor): Promise<void> {
    await inTransaction(this.deps.store, async (tx) => {
      const now = this.deps.now()
      const held = await tx
        .selectFrom('assignment')
        .select(['session_at', 'connected'])
        .where('machine_id', '=', machine.id)
        .executeTakeFirst()
      if (!held)
        throw new BrokerError(
          'not_found',
          `Nobody has ${machine.name}: there is nothing to extend.`,
        )
      await tx
        .updateTable('assignment')
        .set({
          extended_at: now,
          idle_since: now,
          warned_for: null,
          stop_at: null,
          ...(held.connected === 1 ? { session_at: now } : {}),
        })
        .where('machine_id', '=', machine.id)
        .execute()
      await recordEvent(tx, by, 'desktop.extend', `machine:${machine.name}`)
    })
    this.deps.events.publish('assignmentChanged', machine.id)
  }
}

/** Its holder has never come near it. */
function untouched(held: AssignmentRow): boolean {
  return held.started_at === null && held.connected_at === null && held.ticket_at === null
}

function refuseTooMany(pool: PoolWithPolicy, holder: string, count: number): void {
  if (count >= pool.policy.maxPerUser)
    throw new BrokerError(
      'too_many_desktops',
      `${shownHolder(holder)} has ${count} ${count === 1 ? 'desktop' : 'desktops'}, as many ` +
        `as ${pool.name} allows: release one first.`,
    )
}
