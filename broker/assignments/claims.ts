import type { Actor } from '../audit/store.js'
import { BrokerError, refusal } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import { shownHolder } from '../occupancy/policy.js'
import { poolById, type PoolWithPolicy, requirePool } from '../pools/store.js'
import { GroupedWrites } from '../store/grouped-writes.js'
import type { Queries, Store } from '../store/open.js'
import type { AssignmentRow } from '../store/tables.js'
import { afterCommit } from '../store/transaction.js'
import { endAssignment, type ReleaseWish, untouched } from './ending.js'
import { exhausted } from './exhausted.js'
import { type AssignWish, CLAIM, Giving } from './giving.js'
import type { Hosts } from './hosts.js'
import { moveHolder } from './moving.js'
import { headOfQueue, leaveQueue, wait } from './queue.js'

/** `now`: of the fair clock. */
export interface ClaimsDeps {
  readonly store: Store
  readonly events: Events
  readonly hosts: Hosts
  readonly now: () => number
}

/** What a claim gives: a desktop, or a place in the queue. */
export type Claimed =
  | { readonly machineId: string; readonly queue: null }
  | {
      readonly machineId: null
      readonly queue: { place: number; since: number; sentence: string; nextFreeAt: number | null }
    }

/**
 * Who has which desktop of a pool. Each wish is done whole or not at all: two people never get the
 * same, and one person never two of one pool.
 */
export class Claims {
  /** A class or a hospital claims within minutes: those that come at one moment share the wait for the disk. */
  readonly #writes: GroupedWrites
  readonly #giving: Giving

  constructor(readonly deps: ClaimsDeps) {
    this.#writes = new GroupedWrites(deps.store)
    this.#giving = new Giving(deps)
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
    const claimed = await this.#writes
      .write(
        async (tx) =>
          await this.#claimIn(tx, await requirePool(tx, poolName), holder, by, queue, wish),
      )
      .catch((error: unknown) => {
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
    return await this.#writes.write(async (tx): Promise<'given' | 'dropped' | 'none'> => {
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
      const given = await this.#giving.give(tx, pool, holder, by, CLAIM)
      return given === null ? 'none' : 'given'
    })
  }

  async #claimIn(
    tx: Queries,
    pool: PoolWithPolicy,
    holder: string,
    by: Actor,
    queue: boolean,
    wish: AssignWish,
  ): Promise<Claimed> {
    const { now } = this.deps
    if (pool.state === 'deleting') throw refusal('pool_hands_out_no_more', { pool: pool.name })
    const held = await tx
      .selectFrom('assignment')
      .select(['machine_id', 'pool_id'])
      .where('holder', '=', holder)
      .execute()
    const mine = held.find((row) => row.pool_id === pool.id)
    if (mine) {
      await this.#giving.again(tx, pool, holder, mine.machine_id, wish)
      return { machineId: mine.machine_id, queue: null }
    }
    if (pool.maintenance === 1) throw inMaintenance(pool)
    refuseTooMany(pool, holder, held.length)
    const head = await headOfQueue(tx, pool.id, now())
    const given =
      head === null || head === holder || wish.byAdministrator
        ? await this.#giving.give(tx, pool, holder, by, wish)
        : null
    if (given !== null) return { machineId: given, queue: null }
    const { refused, nextFreeAt } = await exhausted(tx, pool, now())
    if (!queue) throw refused
    return {
      machineId: null,
      queue: {
        ...(await wait(tx, pool.id, holder, now())),
        sentence: refused.message,
        nextFreeAt,
      },
    }
  }

  /**
   * A machine outside of pools becomes somebody's, for good. Throws `assigned` while it is another
   * one's for good, or another one is connected.
   */
  async dedicate(machine: { id: string; name: string }, holder: string, by: Actor): Promise<void> {
    await this.#writes.write(async (tx) => {
      const held = await tx
        .selectFrom('assignment')
        .select(['holder', 'fixed', 'connected'])
        .where('machine_id', '=', machine.id)
        .executeTakeFirst()
      if (held?.fixed === 1 && held.holder === holder) return
      if (held) this.#refuseOther(machine, held, holder)
      await tx.deleteFrom('assignment').where('machine_id', '=', machine.id).execute()
      if (held && held.holder !== holder)
        afterCommit(tx, () => {
          this.deps.events.publish('assignmentEnded', machine.id)
        })
      const wish = { byAdministrator: true, fixed: true }
      await this.#giving.record(tx, { machineId: machine.id, pool: null, holder, by, wish })
    })
  }

  /** Throws `assigned` where the machine is another one's for good, or another one may be connected. */
  #refuseOther(
    { id, name }: { readonly id: string; readonly name: string },
    held: { readonly holder: string; readonly fixed: number; readonly connected: number },
    holder: string,
  ): void {
    const who = shownHolder(held.holder)
    if (held.fixed === 1) throw refusal('desktop_held_for_good', { machine: name, person: who })
    if (held.holder === holder) return
    const unknown = this.#unknownUse(id)
    if (unknown !== null)
      throw refusal('holder_perhaps_connected', { machine: name, person: who, why: unknown })
    if (held.connected === 1) throw refusal('holder_connected', { machine: name, person: who })
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
    await this.#writes.write(async (tx) => {
      const held = await tx
        .selectFrom('assignment')
        .selectAll()
        .where('machine_id', '=', machine.id)
        .executeTakeFirst()
      if (!held) throw refusal('nothing_to_release', { machine: machine.name })
      this.#refuseUsed(machine, held, wish)
      const pool = held.pool_id === null ? null : await poolById(tx, held.pool_id)
      await endAssignment(this.deps, tx, held, pool, by, wish)
    })
  }

  /** Throws `assigned` where its holder came back, or is or may be connected and is not to be cut. */
  #refuseUsed(
    { id, name }: { readonly id: string; readonly name: string },
    held: AssignmentRow,
    wish: ReleaseWish,
  ): void {
    const who = shownHolder(held.holder)
    if (wish.still?.(held) === false)
      throw refusal('holder_came_back', { machine: name, person: who })
    if (wish.force) return
    if (held.connected === 1) throw refusal('release_cuts', { machine: name, person: who })
    const unknown = untouched(held) ? null : this.#unknownUse(id)
    if (unknown !== null)
      throw refusal('release_may_cut', { machine: name, person: who, why: unknown })
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
    return await this.#writes.write(
      async (tx) =>
        await moveHolder(this.deps, this.#giving, tx, { machineId, because, failed, by }),
    )
  }
}

function refuseTooMany(pool: PoolWithPolicy, holder: string, count: number): void {
  if (count >= pool.policy.maxPerUser)
    throw count === 1
      ? refusal('one_desktop_allowed', { person: shownHolder(holder), pool: pool.name })
      : refusal('desktops_allowed', { person: shownHolder(holder), count, pool: pool.name })
}

function inMaintenance({ name, maintenance_reason: why }: PoolWithPolicy): BrokerError {
  return why === ''
    ? refusal('pool_in_maintenance', { pool: name })
    : refusal('pool_in_maintenance_for', { pool: name, why })
}
