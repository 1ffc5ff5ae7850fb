import type { Logger } from 'pino'
import { BERTH, recordEvent } from '../audit/store.js'
import type { Claims } from '../assignments/claims.js'
import type { Hosts } from '../assignments/hosts.js'
import { BrokerError } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { Machines } from '../machines/service.js'
import type { Pools } from '../pools/service.js'
import { poolById } from '../pools/store.js'
import { Rounds } from '../rounds.js'
import type { DrainRow } from '../store/tables.js'
import { type FactsDeps, machinesOn, othersOn, type Seen } from './facts.js'
import { deadlineStep, drainStep, isLeft } from './policy.js'
import { inTransaction } from '../store/transaction.js'

export interface DrainKeeperDeps extends FactsDeps {
  readonly events: Events
  readonly claims: Claims
  readonly hosts: Hosts
  readonly machines: Machines
  readonly pools: Pools
  readonly log: Logger
}

const LOOK_EVERY_MS = 5_000
/** What failed is not tried again at once. */
const REST_MS = 30_000
const WAKING = [
  'drainChanged',
  'assignmentChanged',
  'powerChanged',
  'maintenanceChanged',
  'hypervisorSeen',
  'hypervisorChanged',
  'jobReleased',
] as const

/**
 * Empties hypervisors, a step at a time: what is wished stands in the database, so that a restart
 * is only a pause. A host that is away is waited for.
 */
export class DrainKeeper {
  readonly #restingUntil = new Map<string, number>()
  readonly #rounds: Rounds

  constructor(readonly deps: DrainKeeperDeps) {
    this.#rounds = new Rounds({
      look: async () => {
        await this.#look()
      },
      everyMs: LOOK_EVERY_MS,
      log: deps.log,
      failed: 'emptying hypervisors failed',
    })
  }

  start(): void {
    this.deps.events.subscribeAll(WAKING, () => {
      this.wake()
    })
    this.#rounds.start()
  }

  async stop(): Promise<void> {
    await this.#rounds.stop()
  }

  /** Looks soon; calls while it waits to look make one look. */
  wake(): void {
    this.#rounds.wake()
  }

  async #look(): Promise<void> {
    for (const row of await this.deps.store.selectFrom('drain').selectAll().execute()) {
      if (!this.deps.hosts.isObserved(row.hypervisor)) continue // what it does is not known
      await this.#empty(row)
    }
  }

  async #empty(drain: DrainRow): Promise<void> {
    const machines = await machinesOn(this.deps, drain.hypervisor)
    const clock = deadlineStep(drain, this.deps.now())
    if (clock === 'warn')
      await this.#warn(
        drain,
        machines.filter(({ inUse }) => inUse !== null),
      )
    // Nobody loses anything to a host that has not been watched long enough to know who is connected.
    const over = clock === 'over' && this.deps.hosts.isSettled(drain.hypervisor)
    const steps = machines.map((machine) => ({ machine, step: drainStep(machine, over) }))
    for (const { machine, step } of steps) {
      if (step === 'stop')
        await this.#attempt(machine.id, async () => {
          await this.deps.machines.power(machine.name, { action: 'shutdown' }, BERTH)
        })
      if (step === 'take')
        await this.#attempt(machine.id, async () => {
          await this.deps.claims.release(machine, BERTH, {
            force: true,
            because: `${drain.hypervisor} is being emptied`,
          })
        })
    }
    await this.#move(steps.filter(({ step }) => step === 'move').map(({ machine }) => machine))
    const others = await othersOn(this.deps, drain.hypervisor)
    if (others !== null)
      await this.#noteEmpty(drain, others.length === 0 && !steps.some(({ step }) => isLeft(step)))
  }

  /**
   * A pool takes its own members away; its keeper then builds what is missing where it may. One job
   * a pool at a time.
   */
  async #move(machines: readonly Seen[]): Promise<void> {
    for (const poolId of new Set(machines.map((machine) => machine.poolId))) {
      const pool = poolId === null ? null : await poolById(this.deps.store, poolId)
      if (!pool) continue
      const doomed = machines.filter(
        (machine) => machine.poolId === poolId && !this.#rests(machine.id),
      )
      if (doomed.length === 0) continue
      await this.#attempt(`pool ${pool.id}`, async () => {
        const job = await this.deps.pools.adjustWhenIdle(
          pool,
          { remove: doomed.map(({ id }) => id) },
          BERTH,
        )
        // one that could not be removed is tried again after a while, not at once
        if (job !== null) for (const { id } of doomed) this.#rest(id)
      })
    }
  }

  async #warn(drain: DrainRow, held: readonly Seen[]): Promise<void> {
    await inTransaction(this.deps.store, async (tx) => {
      await tx
        .updateTable('drain')
        .set({ warned_at: this.deps.now() })
        .where('hypervisor', '=', drain.hypervisor)
        .where('warned_at', 'is', null)
        .execute()
      for (const { name, holder } of held)
        await recordEvent(tx, BERTH, 'desktop.warn', `machine:${name}`, {
          holder,
          sentence: `${drain.hypervisor} is being emptied.`,
        })
    })
    for (const { id } of held) this.deps.events.publish('drainTold', id)
  }

  async #noteEmpty(drain: DrainRow, empty: boolean): Promise<void> {
    if (empty === (drain.empty_at !== null)) return
    await inTransaction(this.deps.store, async (tx) => {
      await tx
        .updateTable('drain')
        .set({ empty_at: empty ? this.deps.now() : null })
        .where('hypervisor', '=', drain.hypervisor)
        .execute()
      if (empty)
        await recordEvent(tx, BERTH, 'hypervisor.drained', `hypervisor:${drain.hypervisor}`, {
          total: drain.total,
        })
    })
  }

  #rests(what: string): boolean {
    return (this.#restingUntil.get(what) ?? 0) > performance.now()
  }
  #rest(what: string): void {
    this.#restingUntil.set(what, performance.now() + REST_MS)
  }

  async #attempt(what: string, act: () => Promise<void>): Promise<void> {
    if (this.#rests(what)) return
    this.#restingUntil.delete(what)
    try {
      await act()
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      this.#rest(what)
      this.deps.log.info({ err: error, what }, 'a machine could not leave its hypervisor yet')
    }
  }
}
