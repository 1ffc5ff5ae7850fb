import type { Logger } from 'pino'
import type { ClaimAnswer, Desktop } from '../api/assignments.js'
import { type Actor, BERTH } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { Observer } from '../machines/observer.js'
import type { GoldenImages } from '../machines/golden-images.js'
import { requireMachine } from '../machines/store.js'
import type { Usage } from '../occupancy/usage.js'
import { markVisited, poolsOf, requirePool } from '../pools/store.js'
import { Rounds } from '../rounds.js'
import type { Store } from '../store/open.js'
import { nameKey, personName } from '../users/names.js'
import type { Claims } from './claims.js'
import type { ReleaseWish } from './ending.js'
import type { AssignWish } from './giving.js'
import type { Hosts } from './hosts.js'
import { listDesktops } from './listing.js'
import { refuseAssigned, releaseAllOf, releaseAllOfPool, releaseExcess } from './mass-release.js'
import { claimNamed } from './named.js'
import { extendTime, orderRebuild } from './own-desktop.js'
import { leaveQueue } from './queue.js'
import { renewReleased } from './renewals.js'
import { untilChange, untilReady } from './until-ready.js'
import { messageOfHost, warningAbout } from './warnings.js'

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
      await untilChange(this.deps.events, null, Math.min(left, ASK_AGAIN_MS), signal)
      // they have gone, perhaps to leave the queue: to ask once more would put them back
      if (signal.aborted) return answer
    }
  }

  /** Gives the place in the queue up; a desktop that they were given meanwhile stays theirs. */
  async leaveQueue(poolName: string, holder: string): Promise<void> {
    const pool = await requirePool(this.deps.store, poolName)
    await leaveQueue(this.deps.store, pool.id, holder)
  }

  async #whenReady(
    holder: string,
    machineId: string,
    withinMs: number,
    signal: AbortSignal,
  ): Promise<Desktop> {
    return await untilReady(this.deps, holder, machineId, withinMs, signal)
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
    if (!desktop) throw refusal('nobody_has_it', { machine: machineName })
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
      throw refusal('no_member_yet', { machine: machine.name, pool: pool.name })
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
      throw refusal('type_not_handed_out', { machine: machine.name, type: machine.type })
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
    await releaseAllOf(this.deps, holder, because, by)
  }

  async extend(machineName: string, by: Actor): Promise<Desktop> {
    await extendTime(this.deps, await requireMachine(this.deps.store, machineName), by)
    return await this.desktopOf(machineName)
  }

  /** The disk is recreated from the current generation; what is on it is lost. Also mends a failed desktop. */
  async rebuild(machineName: string, by: Actor): Promise<void> {
    await orderRebuild(this.deps, await requireMachine(this.deps.store, machineName), by)
  }

  /** Throws `assigned` while somebody has a desktop of the pool; with force the deletion releases them. */
  async refuseAssigned(poolName: string, force: boolean): Promise<void> {
    await refuseAssigned(this.deps.store, poolName, force)
  }

  /** For a deletion: every assignment of the pool ends. */
  async releaseAll(poolId: string): Promise<void> {
    await releaseAllOfPool(this.deps, poolId)
  }

  /** For a forced shrinking: as many as the pool is too large by, the longest unused first. */
  async releaseExcess(poolName: string, by: Actor = BERTH): Promise<void> {
    await releaseExcess(this.deps, poolName, by)
  }

  /** A thin client, or a person who sits at one, that has this machine by name. Throws `busy`, `assigned`. */
  async claimNamed(machineId: string, holder: string): Promise<void> {
    await claimNamed(this.deps, machineId, holder)
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
      throw refusal('desktop_unclean', { machine: machine.name })
  }

  /** What those who sit before this machine's screen are to be told, if it is theirs; null: nothing. */
  async warning(machineId: string, holders: readonly string[]): Promise<Desktop['warning']> {
    return await warningAbout(this.deps.store, machineId, holders, this.deps.now())
  }

  /** What the administrator says to those who are still on a host that is being drained; empty when nothing. */
  async messageOfHost(machineId: string): Promise<string> {
    return await messageOfHost(this.deps.store, machineId)
  }
}
