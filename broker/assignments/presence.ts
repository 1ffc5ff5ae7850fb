import type { Logger } from 'pino'
import { BERTH } from '../audit/store.js'
import type { Events } from '../events/bus.js'
import type { Ending, Endings } from '../machines/endings.js'
import type { Observer } from '../machines/observer.js'
import { markVisited, poolById } from '../pools/store.js'
import type { Store } from '../store/open.js'
import type { Claims } from './claims.js'
import { sessionStart } from './policy.js'

export interface PresenceDeps {
  readonly store: Store
  readonly events: Events
  readonly observer: Observer
  readonly claims: Claims
  readonly endings: Endings
  readonly log: Logger
  readonly now: () => number
}

/**
 * Writes who is connected and who shut their desktop down into the assignments, as the hosts tell it;
 * also after a restart, when it is told again.
 */
export class Presence {
  #stopped = false
  #writing: Promise<void> = Promise.resolve()

  constructor(readonly deps: PresenceDeps) {}

  start(): void {
    const { events } = this.deps
    events.subscribe('viewersChanged', (machineId) => {
      this.#do(async () => {
        await this.#noteViewers(machineId)
      })
    })
    events.subscribe('hypervisorSeen', (hypervisor) => {
      this.#do(async () => {
        await this.#correct(hypervisor)
      })
    })
    events.subscribe('powerChanged', (machineId, power, before) => {
      if (power === 'off' && before === 'running') this.#onOff(machineId)
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#writing
  }

  #do(act: () => Promise<void>): void {
    this.#writing = this.#writing.then(act).catch((error: unknown) => {
      this.deps.log.error({ err: error }, 'noting who is connected failed')
    })
  }

  async #noteViewers(machineId: string): Promise<void> {
    const { store, events, observer, now } = this.deps
    const held = await store
      .selectFrom('assignment')
      .selectAll()
      .where('machine_id', '=', machineId)
      .executeTakeFirst()
    const { viewers, unknown } = observer.occupancy.use(machineId)
    const connected = viewers.length > 0
    if (!held) {
      if (connected) await markVisited(store, machineId)
      return
    }
    if (!connected && unknown !== null) return // that nobody is there has not been said
    if (connected === (held.connected === 1)) return
    const at = now()
    const pool = held.pool_id === null ? null : await poolById(store, held.pool_id)
    const change = connected
      ? {
          connected: 1 as const,
          connected_at: at,
          idle_since: at,
          session_at: sessionStart(held, pool?.policy ?? null, at),
          started_at: held.started_at ?? at,
        }
      : {
          connected: 0 as const,
          disconnected_at: at,
          idle_since: at,
          ticket_at: null,
          warned_for: null,
        }
    await store
      .updateTable('assignment')
      .set(change)
      .where('machine_id', '=', machineId)
      .where('holder', '=', held.holder)
      .execute()
    events.publish('assignmentChanged', machineId)
  }

  /** A viewer that left while nobody looked, while the broker was away perhaps, sends no event. */
  async #correct(hypervisor: string): Promise<void> {
    const rows = await this.deps.store
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .select('assignment.machine_id')
      .where('machine.hypervisor', '=', hypervisor)
      .where('assignment.connected', '=', 1)
      .execute()
    for (const row of rows)
      if (this.deps.observer.occupancy.viewers(row.machine_id).length === 0)
        await this.#noteViewers(row.machine_id)
  }

  /** Nobody else waits while somebody is to say how it went off. */
  #onOff(machineId: string): void {
    this.#endingOf(machineId).then(
      (ending) => {
        if (!this.#stopped)
          this.#do(async () => {
            await this.#noteShutdown(machineId, ending)
          })
      },
      (error: unknown) => {
        this.deps.log.error({ err: error }, 'following a machine that went off failed')
      },
    )
  }

  async #endingOf(machineId: string): Promise<Ending> {
    const machine = await this.deps.store
      .selectFrom('machine')
      .select(['name', 'hypervisor'])
      .where('id', '=', machineId)
      .executeTakeFirst()
    return machine ? await this.deps.endings.of(machine.hypervisor, machine.name) : null
  }

  /**
   * It went off by neither a person's nor an administrator's wish, nor the broker's own, which take
   * `wanted_power` away first. Only a guest that was shut down from inside has been given back: one
   * that was killed, or of which nobody knows, stays its holder's with what is on it.
   */
  async #noteShutdown(machineId: string, ending: Ending): Promise<void> {
    const { store, events, claims, log } = this.deps
    const held = await store
      .selectFrom('assignment')
      .innerJoin('machine', 'machine.id', 'assignment.machine_id')
      .select([
        'assignment.pool_id',
        'assignment.wanted',
        'machine.name',
        'machine.wanted_power',
        'machine.discard_on_reboot',
      ])
      .where('machine_id', '=', machineId)
      .executeTakeFirst()
    if (!held || held.pool_id === null || !wasToRun(held)) return
    const pool = await poolById(store, held.pool_id)
    if (pool?.policy.onShutdown === 'restart') {
      await store
        .updateTable('assignment')
        .set({ wanted: 1 })
        .where('machine_id', '=', machineId)
        .execute()
      events.publish('assignmentChanged', machineId)
    } else if (pool?.policy.onShutdown === 'release' && ending !== 'shutdown') {
      log.warn(
        { machine: held.name, ending },
        'a desktop went off, and not because its holder shut it down: it stays theirs',
      )
    } else if (pool?.policy.onShutdown === 'release') {
      await claims.release({ id: machineId, name: held.name }, BERTH, {
        force: true,
        because: 'its holder shut it down',
      })
    }
  }
}

/** Whether nobody has asked for the machine to go off, and it does not start again by itself. */
function wasToRun(held: {
  readonly wanted: number
  readonly wanted_power: string | null
  readonly discard_on_reboot: number
}): boolean {
  return held.wanted === 0 && held.wanted_power === 'on' && held.discard_on_reboot === 0
}
