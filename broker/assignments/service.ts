import type { Logger } from 'pino'
import type { ClaimAnswer, Desktop } from '../api/assignments.js'
import type { Cleaning } from '../api/pools.js'
import { type Actor, BERTH, recordEvent } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import type { Events } from '../events/bus.js'
import type { Observer } from '../machines/observer.js'
import type { GoldenImages } from '../machines/golden-images.js'
import { requireMachine } from '../machines/store.js'
import { shownHolder } from '../occupancy/policy.js'
import type { Usage } from '../occupancy/usage.js'
import { enterDesktop, markVisited, poolById, poolsOf, requirePool } from '../pools/store.js'
import { Rounds } from '../rounds.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { nameKey, personName } from '../users/names.js'
import type { Claims } from './claims.js'
import type { ReleaseWish } from './ending.js'
import type { AssignWish } from './giving.js'
import type { Hosts } from './hosts.js'
import { listDesktops } from './listing.js'
import { leaveQueue } from './queue.js'
import { hostEmptiedAt, warningOf } from './policy.js'
import { renewReleased } from './renewals.js'

export interface AssignmentsDeps {
  readonly store: Store
  readonly events: Events
  readonly claims: Claims
  readonly hosts: Hosts
  readonly observer: Observer
  readonly goldenImages: GoldenImages
  readonly log: Logger
  readonly usage: Usage
  readonly releaseAfterMs: number
  readonly now: () => number
}

const LOOK_EVERY_MS = 5_000
const ASK_AGAIN_MS = 5_000

/** What callers may ask of assignments: who has which machine, for people and for thin clients. */
export class Assignments {
  readonly #renewals: Rounds

  constructor(readonly deps: AssignmentsDeps) {
    this.#renewals = new Rounds({
      look: () => renewReleased(deps),
      everyMs: LOOK_EVERY_MS,
      log: deps.log,
      failed: 'renewing released machines failed',
    })
  }

  start(): void {
    const wake = (): void => {
      this.#renewals.wake()
    }
    this.deps.events.subscribeAll(
      ['viewersChanged', 'powerChanged', 'maintenanceChanged', 'assignmentChanged'],
      wake,
    )
    this.#renewals.start()
  }

  async stop(): Promise<void> {
    await this.#renewals.stop()
  }

  /** A desktop of the pool for this holder, or a place in the queue; waits up to `waitMs` until it can be opened. */
  async claim(
    poolName: string,
    holder: string,
    by: Actor,
    wish: { wait?: boolean; waitMs?: number },
    signal: AbortSignal,
  ): Promise<ClaimAnswer> {
    const until = performance.now() + (wish.waitMs ?? 0)
    for (;;) {
      const claimed = await this.deps.claims.claim(poolName, holder, by, wish.wait ?? false)
      const left = until - performance.now()
      if (claimed.machineId !== null)
        return {
          desktop: await this.#whenReady(holder, claimed.machineId, left, signal),
          queue: null,
        }
      const { place, since, sentence, nextFreeAt } = claimed.queue
      const answer: ClaimAnswer = {
        desktop: null,
        queue: {
          place,
          since: new Date(since).toISOString(),
          sentence,
          nextFreeAt: nextFreeAt === null ? null : new Date(nextFreeAt).toISOString(),
          askAgainMs: ASK_AGAIN_MS,
        },
      }
      if (left <= 0 || signal.aborted) return answer
      await this.untilChange(null, Math.min(left, ASK_AGAIN_MS), signal)
      // they have gone, perhaps to leave the queue: to ask once more would put them back
      if (signal.aborted) return answer
    }
  }

  /** Gives the place in the queue up; a desktop that they were given meanwhile stays theirs. */
  async leaveQueue(poolName: string, holder: string): Promise<void> {
    const pool = await requirePool(this.deps.store, poolName)
    await leaveQueue(this.deps.store, pool.id, holder)
  }

  /**
   * The holder's desktop when it can be opened, or as it is after `withinMs`. One that does not
   * start is exchanged for another one meanwhile.
   */
  async #whenReady(
    holder: string,
    given: string,
    withinMs: number,
    signal: AbortSignal,
  ): Promise<Desktop> {
    const until = performance.now() + withinMs
    for (let machineId = given; ;) {
      const [desktop] = await listDesktops(
        this.deps.store,
        { holder, machineId },
        this.deps.now(),
        this.deps.observer.occupancy,
      )
      const left = until - performance.now()
      if (desktop && (desktop.phase !== 'preparing' || left <= 0 || signal.aborted)) return desktop
      if (desktop) await this.untilChange(machineId, left, signal)
      else machineId = await this.#movedTo(holder, machineId)
    }
  }

  /** Which desktop its holder was given instead of this one. */
  async #movedTo(holder: string, machineId: string): Promise<string> {
    const pools = (await poolsOf(this.deps.store, machineId)).map((pool) => pool.id)
    const other =
      pools.length === 0
        ? undefined
        : await this.deps.store
            .selectFrom('assignment')
            .select('machine_id')
            .where('holder', '=', holder)
            .where('pool_id', 'in', pools)
            .executeTakeFirst()
    if (!other)
      throw new BrokerError(
        'desktop_failed',
        'The desktop was taken away while it was made ready: ask again.',
      )
    return other.machine_id
  }

  /** Resolves when something about this machine (or any) changes, or after `withinMs`. */
  async untilChange(
    machineId: string | null,
    withinMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        end()
        resolve()
      }
      const { events } = this.deps
      const end =
        machineId === null
          ? events.subscribe('assignmentChanged', done)
          : events.subscribeAbout('assignmentChanged', machineId, done)
      const timer = setTimeout(done, withinMs)
      signal.addEventListener('abort', done)
    })
  }

  async desktops(filter: { holder?: string } = {}): Promise<Desktop[]> {
    return await listDesktops(
      this.deps.store,
      filter,
      this.deps.now(),
      this.deps.observer.occupancy,
    )
  }

  async desktopOf(machineName: string): Promise<Desktop> {
    const machine = await requireMachine(this.deps.store, machineName)
    const [desktop] = await listDesktops(
      this.deps.store,
      { machineId: machine.id },
      this.deps.now(),
      this.deps.observer.occupancy,
    )
    if (!desktop) throw new BrokerError('not_found', `Nobody has ${machine.name}.`)
    return desktop
  }

  /**
   * By an administrator: a desktop of the pool, any or this member, to this person. Waits up to
   * `waitMs` until it can be opened.
   */
  async assign(
    poolName: string,
    user: string,
    wish: { machine?: string; fixed?: boolean; waitMs?: number },
    by: Actor,
    signal: AbortSignal,
  ): Promise<Desktop> {
    const pool = await requirePool(this.deps.store, poolName)
    const machine =
      wish.machine === undefined ? null : await requireMachine(this.deps.store, wish.machine)
    if (machine && !(await poolsOf(this.deps.store, machine.id)).some((one) => one.id === pool.id))
      throw new BrokerError(
        'not_found',
        `${machine.name} is no member of ${pool.name}: make it one with "berth pool add ${pool.name} ${machine.name}".`,
      )
    const assign: AssignWish = {
      byAdministrator: true,
      fixed: wish.fixed ?? false,
      ...(machine ? { machineId: machine.id } : {}),
    }
    const holder = `user:${nameKey(personName(user))}`
    const claimed = await this.deps.claims.claim(pool.name, holder, by, false, assign)
    return await this.#whenReady(holder, claimed.machineId ?? '', wish.waitMs ?? 0, signal)
  }

  /** By an administrator: this machine to this person. A member of a pool is given through its first pool. */
  async assignMachine(
    machineName: string,
    user: string,
    wish: { fixed?: boolean; waitMs?: number },
    by: Actor,
    signal: AbortSignal,
  ): Promise<Desktop> {
    const machine = await requireMachine(this.deps.store, machineName)
    const [pool] = await poolsOf(this.deps.store, machine.id)
    if (pool)
      return await this.assign(pool.name, user, { ...wish, machine: machine.name }, by, signal)
    if (machine.type === 'source' || machine.type === 'initial')
      throw new BrokerError(
        'wrong_type',
        `${machine.name} is a ${machine.type} machine: only vdi and simple machines are handed to people.`,
      )
    const holder = `user:${nameKey(personName(user))}`
    await this.deps.claims.dedicate(machine, holder, by)
    return await this.#whenReady(holder, machine.id, wish.waitMs ?? 0, signal)
  }

  /**
   * A person of a directory may be given a desktop before their first login; a name that was
   * mistyped looks the same.
   */
  async warningsAbout(user: string): Promise<string[]> {
    const account = await this.deps.store
      .selectFrom('account')
      .select('disabled')
      .where('name_key', '=', nameKey(user))
      .executeTakeFirst()
    if (!account)
      return [
        `Nobody called ${personName(user)} has logged in yet: it waits for the first who ` +
          'does by this name. Is it spelled right?',
      ]
    return account.disabled === 1
      ? [`The account ${personName(user)} is disabled: nobody can open it.`]
      : []
  }

  async release(machineName: string, by: Actor, wish: ReleaseWish): Promise<void> {
    await this.deps.claims.release(await requireMachine(this.deps.store, machineName), by, wish)
  }

  /** Everything that a holder has, as when an account or a device is removed. */
  async releaseAllOf(holder: string, because: string, by: Actor): Promise<void> {
    const held = await this.deps.store
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .select(['machine.id', 'machine.name'])
      .where('holder', '=', holder)
      .execute()
    await inTransaction(this.deps.store, async (tx) => {
      await tx.deleteFrom('waiter').where('holder', '=', holder).execute()
      await tx
        .updateTable('desktop')
        .set({ last_holder: null })
        .where('last_holder', '=', holder)
        .execute()
    })
    for (const machine of held)
      await this.deps.claims
        .release(machine, by, { force: true, because })
        .catch((error: unknown) => {
          if (!(error instanceof BrokerError && error.code === 'not_found')) throw error
        })
  }

  async extend(machineName: string, by: Actor): Promise<Desktop> {
    await this.deps.claims.extend(await requireMachine(this.deps.store, machineName), by)
    return await this.desktopOf(machineName)
  }

  /** The disk is recreated from the current generation; what is on it is lost. Also mends a failed desktop. */
  async rebuild(machineName: string, by: Actor): Promise<void> {
    const machine = await requireMachine(this.deps.store, machineName)
    if (machine.parent_id === null)
      throw new BrokerError(
        'wrong_type',
        `${machine.name} is made from no initial machine: there is nothing to rebuild it from.`,
      )
    const change = { unclean: 'rebuild' as const, tries: 0, retry_at: 0 }
    const now = this.deps.now()
    await inTransaction(this.deps.store, async (tx) => {
      const desktop = await tx
        .selectFrom('desktop')
        .select('state')
        .where('machine_id', '=', machine.id)
        .executeTakeFirst()
      if (!desktop)
        throw new BrokerError(
          'wrong_type',
          `${machine.name} is in no pool: populate its initial machine to renew it.`,
        )
      if (desktop.state === 'assigned') {
        await tx.updateTable('desktop').set(change).where('machine_id', '=', machine.id).execute()
        await tx
          .updateTable('assignment')
          .set({ wanted: 1, idle_since: now })
          .where('machine_id', '=', machine.id)
          .execute()
      } else if (!(await enterDesktop(tx, machine.id, 'cleaning', change, now)))
        throw new BrokerError(
          'busy',
          `${machine.name} is ${desktop.state}: try again when that has ended.`,
        )
      await recordEvent(tx, by, 'desktop.rebuild', `machine:${machine.name}`, {
        before: desktop.state,
      })
    })
    this.deps.events.publish('assignmentChanged', machine.id)
  }

  /** Throws `assigned` while somebody has a desktop of the pool; with force the deletion releases them. */
  async refuseAssigned(poolName: string, force: boolean): Promise<void> {
    const pool = await requirePool(this.deps.store, poolName)
    const held = await this.deps.store
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .select(['assignment.holder', 'machine.name'])
      .where('pool_id', '=', pool.id)
      .limit(6)
      .execute()
    if (held.length > 0 && !force)
      throw new BrokerError(
        'assigned',
        `${held
          .slice(0, 5)
          .map((row) => `${shownHolder(row.holder)} has ${row.name}`)
          .join(', ')}${held.length > 5 ? ', …' : ''}: release them first, or use --force.`,
      )
  }

  /** For a deletion: every assignment of the pool ends. */
  async releaseAll(poolId: string): Promise<void> {
    await this.#releaseSome(poolId, Infinity, 'its pool is deleted', BERTH, 'keep')
  }

  /** For a forced shrinking: as many as the pool is too large by, the longest unused first. */
  async releaseExcess(poolName: string, by: Actor = BERTH): Promise<void> {
    const pool = await requirePool(this.deps.store, poolName)
    const states = await this.deps.store
      .selectFrom('pool_member')
      .innerJoin('desktop', 'desktop.machine_id', 'pool_member.machine_id')
      .select('desktop.state')
      .where('pool_id', '=', pool.id)
      .where('built', '=', 1)
      .execute()
    const easy = states.filter((row) => row.state !== 'assigned').length
    await this.#releaseSome(
      pool.id,
      Math.max(0, states.length - pool.size - easy),
      'its pool was made smaller',
      by,
    )
  }

  async #releaseSome(
    poolId: string,
    most: number,
    because: string,
    by: Actor = BERTH,
    how?: Cleaning,
  ): Promise<void> {
    const held = await this.deps.store
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .select(['machine.id', 'machine.name'])
      .where('pool_id', '=', poolId)
      .orderBy('connected')
      .orderBy('idle_since')
      .execute()
    for (const machine of held.slice(0, most))
      await this.deps.claims
        .release(machine, by, { force: true, because, ...(how === undefined ? {} : { how }) })
        .catch((error: unknown) => {
          if (!(error instanceof BrokerError && error.code === 'not_found')) throw error
        })
  }

  /**
   * A thin client, or a person who sits at one, that has this machine by name: claims it in one
   * transaction, and counts it as just handed out from then on. Throws `busy` while another one
   * uses it or while a job makes it ready, `assigned` while it is somebody's through a pool.
   */
  async claimNamed(machineId: string, holder: string): Promise<void> {
    const held = await this.deps.store
      .selectFrom('assignment')
      .select(['holder', 'ticket_at', 'pool_id', 'fixed'])
      .where('machine_id', '=', machineId)
      .executeTakeFirst()
    const mine = held?.holder === holder
    const reason = held === undefined || mine ? null : await this.deps.usage.reason(machineId)
    if (reason !== null)
      throw new BrokerError('busy', `Another thin client or person uses this machine (${reason}).`)
    const now = this.deps.now()
    await inTransaction(this.deps.store, async (tx) => {
      const member = await tx
        .selectFrom('pool_member')
        .innerJoin('pool', 'pool.id', 'pool_member.pool_id')
        .select('pool.name')
        .where('machine_id', '=', machineId)
        .limit(1)
        .executeTakeFirst()
      if (member)
        throw new BrokerError(
          'assigned',
          `It is a member of the pool ${member.name}, which hands it out: name the pool in clients.xml (desktop-pool).`,
        )
      const job = await tx
        .selectFrom('job_lock')
        .innerJoin('job', 'job.id', 'job_lock.job_id')
        .select(['job.id', 'job.kind'])
        .where('job_lock.machine_id', '=', machineId)
        .where('job.kind', '!=', 'power')
        .executeTakeFirst()
      if (job) throw new BrokerError('busy', `It is being made ready (job ${job.id}, ${job.kind}).`)
      if (mine)
        await tx
          .updateTable('assignment')
          .set({ ticket_at: now, idle_since: now })
          .where('machine_id', '=', machineId)
          .where('holder', '=', holder)
          .execute()
      else await this.#takeNamed(tx, machineId, holder, held, now)
    })
  }

  async #takeNamed(
    tx: Queries,
    machineId: string,
    holder: string,
    held: { holder: string; ticket_at: number | null } | undefined,
    now: number,
  ): Promise<void> {
    if (held) {
      const { numDeletedRows } = await tx
        .deleteFrom('assignment')
        .where('machine_id', '=', machineId)
        .where('holder', '=', held.holder)
        .where((eb) =>
          held.ticket_at === null
            ? eb('ticket_at', 'is', null)
            : eb('ticket_at', '=', held.ticket_at),
        )
        .executeTakeFirst()
      if (numDeletedRows !== 1n) throw new BrokerError('busy', 'Another thin client was quicker.')
    }
    const values = {
      machine_id: machineId,
      pool_id: null,
      holder,
      assigned_at: now,
      started_at: null,
      ticket_at: now,
      connected_at: null,
      disconnected_at: null,
      extended_at: null,
      session_at: null,
      idle_since: now,
      warned_for: null,
    }
    const inserted = await tx
      .insertInto('assignment')
      .values(values)
      .onConflict((oc) => oc.doNothing())
      .executeTakeFirst()
    if (inserted.numInsertedOrUpdatedRows !== 1n)
      throw new BrokerError('busy', 'Another thin client was quicker.')
  }

  /** A ticket was given to who has the machine; with `holder`, only if it is they who have it. */
  async noteTicket(machineId: string, holder?: string): Promise<void> {
    const now = this.deps.now()
    await this.deps.store
      .updateTable('assignment')
      .set({ ticket_at: now, disconnected_at: null, idle_since: now })
      .where('machine_id', '=', machineId)
      .$if(holder !== undefined, (q) => q.where('holder', '=', holder ?? ''))
      .execute()
  }

  /** A ticket was given for a machine that may be nobody's. */
  async noteVisit(machineId: string): Promise<void> {
    await markVisited(this.deps.store, machineId)
  }

  /** Throws while a desktop that this holder was given still shows what the one before left. */
  async refuseUnclean(machine: { id: string; name: string }, holder: string | null): Promise<void> {
    const row = await this.deps.store
      .selectFrom('assignment')
      .innerJoin('desktop', 'desktop.machine_id', 'assignment.machine_id')
      .select(['assignment.holder', 'desktop.unclean'])
      .where('assignment.machine_id', '=', machine.id)
      .executeTakeFirst()
    if (row && row.unclean !== null && (holder === null || row.holder === holder))
      throw new BrokerError(
        'busy',
        `${machine.name} is cleaned after its last use: it can be opened when that is done.`,
      )
  }

  /**
   * What those who sit before this machine's screen are to be told, if it is theirs
   * (`thin-client:ID`, `user:KEY`): that it is taken soon. Null while they need not be told.
   */
  async warning(machineId: string, holders: readonly string[]): Promise<Desktop['warning']> {
    const held = await this.deps.store
      .selectFrom('assignment')
      .selectAll()
      .where('machine_id', '=', machineId)
      .executeTakeFirst()
    if (!held || !holders.includes(held.holder)) return null
    const drain = await this.#drainOf(machineId)
    const emptiedAt = drain === undefined || drain.warned_at === null ? null : hostEmptiedAt(drain)
    if (
      emptiedAt === null &&
      ((held.warned_for === null && held.stop_at === null) || held.pool_id === null)
    )
      return null
    return warningOf(
      held,
      held.pool_id === null
        ? null
        : ((await poolById(this.deps.store, held.pool_id))?.policy ?? null),
      this.deps.now(),
      emptiedAt,
    )
  }

  /** What the administrator says to those who are still on a host that is emptied; empty when nothing. */
  async messageOfHost(machineId: string): Promise<string> {
    return (await this.#drainOf(machineId))?.message ?? ''
  }

  async #drainOf(machineId: string) {
    return await this.deps.store
      .selectFrom('drain')
      .innerJoin('machine', 'machine.hypervisor', 'drain.hypervisor')
      .select(['drain.deadline', 'drain.warned_at', 'drain.message'])
      .where('machine.id', '=', machineId)
      .executeTakeFirst()
  }
}
