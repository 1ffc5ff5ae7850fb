import type { Logger } from 'pino'
import type { PoolPolicy } from '../api/pools.js'
import { BERTH, recordEvent } from '../audit/store.js'
import type { Events } from '../events/bus.js'
import type { Store } from '../store/open.js'
import { afterCommit, inTransaction } from '../store/transaction.js'
import { Turn } from '../turn.js'
import type { Claims } from './claims.js'
import { expiring } from './expiring.js'
import type { Hosts } from './hosts.js'
import { due } from './policy.js'

export interface ReaperDeps {
  readonly store: Store
  readonly events: Events
  readonly claims: Claims
  readonly hosts: Hosts
  readonly log: Logger
  readonly now: () => number
}

/** Takes desktops whose time is over. */
export class Reaper {
  constructor(readonly deps: ReaperDeps) {}

  /**
   * Takes what has expired, and warns before a session is cut. Only where the host has been watched
   * long enough to know who is connected.
   */
  async look(): Promise<void> {
    const { store, now, hosts } = this.deps
    const turn = new Turn()
    for (const { held, policy } of await expiring(store)) {
      await turn.passed()
      if (!hosts.isMachineSettled({ id: held.machine_id, hypervisor: held.hypervisor })) continue
      const next = due(held, policy, now())
      if (next.do === 'warn') await this.#warn(held, next.takenAt, next.sentence)
      else if (next.do === 'take') await this.#take(held, next.because, policy)
    }
  }

  async #warn(
    held: { machine_id: string; name: string; holder: string },
    takenAt: number,
    sentence: string,
  ): Promise<void> {
    await inTransaction(this.deps.store, async (tx) => {
      await tx
        .updateTable('assignment')
        .set({ warned_for: takenAt })
        .where('machine_id', '=', held.machine_id)
        .execute()
      await recordEvent(tx, BERTH, 'desktop.warn', `machine:${held.name}`, {
        holder: held.holder,
        takenAt: new Date(takenAt).toISOString(),
        sentence,
      })
      afterCommit(tx, () => {
        this.deps.events.publish('assignmentChanged', held.machine_id)
      })
    })
  }

  async #take(
    held: { machine_id: string; name: string },
    because: 'expired' | 'session',
    policy: PoolPolicy,
  ): Promise<void> {
    const session = because === 'session'
    await this.deps.claims
      .release({ id: held.machine_id, name: held.name }, BERTH, {
        force: session,
        because: session ? 'its longest session ended' : 'its time was over',
        how: policy.onExpiry,
        still: (now) =>
          due(now, policy, this.deps.now()).do === 'take' &&
          this.deps.hosts.unknownUse(held.machine_id) === null,
      })
      .catch((error: unknown) => {
        this.deps.log.info({ err: error, machine: held.name }, 'a desktop was not taken after all')
      }) // its holder came back in this moment
  }
}
