import type { Logger } from 'pino'
import { BERTH } from '../audit/store.js'
import type { Events } from '../events/bus.js'
import type { JobRunner } from '../jobs/runner.js'
import { hasDisk } from '../machines/disks.js'
import type { Machines } from '../machines/service.js'
import type { FairClock } from '../occupancy/fair-clock.js'
import { Rounds } from '../rounds.js'
import type { Store } from '../store/open.js'
import type { Claims } from './claims.js'
import type { Cleaner } from './cleaner.js'
import type { Hosts } from './hosts.js'
import { hostEmptiedAt, nextStep, type Seen, type Step } from './policy.js'
import type { PowerWindows } from './power-windows.js'
import { leaveQueue, livePools, waitersOf } from './queue.js'
import { Reaper } from './reaper.js'

export interface KeeperDeps {
  readonly store: Store
  readonly events: Events
  readonly claims: Claims
  readonly cleaner: Cleaner
  readonly hosts: Hosts
  readonly fairClock: FairClock
  readonly windows: PowerWindows
  readonly machines: Machines
  readonly jobs: JobRunner
  readonly log: Logger
  readonly now: () => number
  /** Whether who waits may still have a desktop of the pool. Answered by those who know permissions. */
  readonly mayHave: (holder: string, poolId: string) => Promise<boolean>
}

const LOOK_EVERY_MS = 5_000
const REST_MS = 30_000
const WAKING = [
  'assignmentChanged',
  'poolFreed',
  'powerChanged',
  'maintenanceChanged',
  'hypervisorSeen',
  'hypervisorChanged',
  'jobReleased',
  'drainTold',
] as const
const MACHINES_AT_ONCE = 500

/** Of the drain of a machine's host, if there is one. */
interface DrainTimes {
  readonly began_at: number | null
  readonly deadline: number | null
  readonly warned_at: number | null
}

/**
 * Carries out what claims and releases wished: desktops are made ready, cleaned, taken when their
 * time is over, given to those who wait. A crash is only a pause.
 */
export class Keeper {
  readonly #rounds: Rounds
  /** Machines that went on or off since the loads of their hosts were counted. */
  readonly #switched = new Set<string>()
  /** Machines on which a start is under way, and why the last one failed. */
  readonly #starting = new Set<string>()
  /** Machines that do not start and for which there is no other: tried again then. */
  readonly #restingUntil = new Map<string, number>()

  readonly #reaper: Reaper

  constructor(readonly deps: KeeperDeps) {
    this.#reaper = new Reaper(deps)
    this.#rounds = new Rounds({
      look: async (all) => {
        await this.#look(all)
      },
      everyMs: LOOK_EVERY_MS,
      log: deps.log,
      failed: 'keeping the assignments failed',
    })
  }

  start(): void {
    const { events } = this.deps
    events.subscribe('powerChanged', (id) => {
      this.#switched.add(id)
    })
    events.subscribeAll(WAKING, () => {
      this.wake()
    })
    this.#rounds.start()
  }

  async stop(): Promise<void> {
    await this.#rounds.stop()
  }

  /** Looks soon; calls while it waits to look make one look. `all`: also at what only time changes. */
  wake(all = false): void {
    this.#rounds.wake(all)
  }

  /** One look now, after those that are under way. */
  async lookNow(all: boolean): Promise<void> {
    await this.#rounds.lookNow(all)
  }

  async #look(all: boolean): Promise<void> {
    if (all) {
      const before = await this.deps.fairClock.look(this.deps.hosts.unwatched())
      await this.deps.windows.look(before)
      await this.#reaper.look()
    }
    const switched = [...this.#switched]
    this.#switched.clear()
    if (all) await this.deps.hosts.count()
    else if (switched.length > 0) await this.deps.hosts.count(await this.#hostsOf(switched))
    await this.#prepare()
    await this.deps.cleaner.look()
    await this.#serveQueue()
  }

  async #hostsOf(machineIds: readonly string[]): Promise<string[]> {
    const names = new Set<string>()
    for (let from = 0; from < machineIds.length; from += MACHINES_AT_ONCE) {
      const rows = await this.deps.store
        .selectFrom('machine')
        .select('hypervisor')
        .distinct()
        .where('id', 'in', machineIds.slice(from, from + MACHINES_AT_ONCE))
        .execute()
      for (const { hypervisor } of rows) names.add(hypervisor)
    }
    return [...names]
  }

  /** Every desktop that somebody is to get comes one step nearer. */
  async #prepare(): Promise<void> {
    const rows = await this.deps.store
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .leftJoin('desktop', 'desktop.machine_id', 'machine.id')
      .leftJoin('job_lock', 'job_lock.machine_id', 'machine.id')
      .leftJoin('drain', 'drain.hypervisor', 'machine.hypervisor')
      .select([
        'drain.began_at',
        'drain.deadline',
        'drain.warned_at',
        'machine.id',
        'machine.name',
        'machine.hypervisor',
        'machine.power',
        'machine.disk',
        'machine.generation_id',
        'machine.type',
        'desktop.unclean',
        'job_lock.job_id',
        'assignment.started_at',
        'assignment.starts_failed',
        'assignment.fixed',
        'assignment.pool_id',
      ])
      .where('assignment.wanted', '=', 1)
      .execute()
    for (const row of rows) {
      if (this.#starting.has(row.id) || (this.#restingUntil.get(row.id) ?? 0) > this.deps.now())
        continue
      const { hosts } = this.deps
      const seen: Seen = {
        hostUp: hosts.isUp(row.hypervisor),
        hostAwayMs: hosts.awayMs(row.hypervisor),
        power: row.power,
        hasDisk: hasDisk(row),
        busy: row.job_id !== null,
        unclean: row.unclean,
        startsFailed: row.starts_failed,
        hostLeaves: this.#leaves(row),
      }
      await this.#goOn(nextStep(seen, row.started_at !== null || row.fixed === 1), row)
    }
  }

  #leaves(drain: DrainTimes): Seen['hostLeaves'] {
    if (drain.began_at === null) return 'no'
    return (hostEmptiedAt(drain) ?? Infinity) <= this.deps.now() ? 'over' : 'soon'
  }

  async #goOn(
    step: Step,
    row: { id: string; name: string; pool_id: string | null },
  ): Promise<void> {
    if (step.do === 'ready') await this.#ready(row.id)
    else if (step.do === 'clean') await this.deps.cleaner.clean(row.id)
    else if (step.do === 'start') await this.#start(row)
    else if (step.do === 'move') await this.#move(row, step)
    else if (step.do === 'rest') await this.#rest(row.id)
  }

  /** Where there is no other desktop, they keep this one, and it is tried again after a while. */
  async #move(
    row: { id: string; name: string; pool_id: string | null },
    { because, failed, orStart }: Extract<Step, { do: 'move' }>,
  ): Promise<void> {
    if (row.pool_id !== null && (await this.deps.claims.move(row.id, because, failed, BERTH)))
      return
    if (orStart) await this.#start(row)
    else await this.#rest(row.id)
  }

  async #rest(machineId: string): Promise<void> {
    this.#restingUntil.set(machineId, this.deps.now() + REST_MS)
    await this.deps.store
      .updateTable('assignment')
      .set({ starts_failed: 0 })
      .where('machine_id', '=', machineId)
      .execute()
  }

  async #ready(machineId: string): Promise<void> {
    this.#restingUntil.delete(machineId)
    const now = this.deps.now()
    const held = await this.deps.store
      .selectFrom('assignment')
      .select(['assigned_at', 'started_at'])
      .where('machine_id', '=', machineId)
      .where('wanted', '=', 1)
      .executeTakeFirst()
    await this.deps.store
      .updateTable('assignment')
      .set((eb) => ({
        wanted: 0,
        starts_failed: 0,
        started_at: eb.fn.coalesce('started_at', eb.val(now)),
        idle_since: now,
      }))
      .where('machine_id', '=', machineId)
      .where('wanted', '=', 1)
      .execute()
    if (held?.started_at === null)
      this.deps.events.publish('desktopPrepared', now - held.assigned_at)
    this.deps.events.publish('assignmentChanged', machineId)
  }

  async #start(machine: { id: string; name: string }): Promise<void> {
    this.#starting.add(machine.id)
    const job = await this.deps.machines
      .power(machine.name, { action: 'start' }, BERTH)
      .catch((error: unknown) => {
        this.deps.log.warn(
          { err: error, machine: machine.name },
          'an assigned desktop could not be started yet',
        )
        return null
      })
    if (job === null) return void this.#starting.delete(machine.id)
    this.deps.events.publish('assignmentChanged', machine.id)
    this.deps.jobs
      .ended(job)
      .then(async ({ state }) => {
        // Started, or perhaps: from now on it is not exchanged for another one by itself.
        if (state === 'succeeded') await this.#ready(machine.id)
        else
          await this.deps.store
            .updateTable('assignment')
            .set((eb) => ({ starts_failed: eb('starts_failed', '+', 1) }))
            .where('machine_id', '=', machine.id)
            .execute()
      })
      .catch((error: unknown) => {
        this.deps.log.error({ err: error }, 'following a start failed')
      })
      .finally(() => {
        this.#starting.delete(machine.id)
        this.wake()
      })
  }

  /** The head of each queue gets what became free. */
  async #serveQueue(): Promise<void> {
    for (const poolId of await livePools(this.deps.store, this.deps.now())) {
      for (const holder of await waitersOf(this.deps.store, poolId)) {
        if (!(await this.deps.mayHave(holder, poolId)))
          await leaveQueue(this.deps.store, poolId, holder)
        else if ((await this.deps.claims.claimForWaiter(poolId, holder, BERTH)) === 'none') break
      }
    }
  }
}
