import type { Logger } from 'pino'
import { inBackground } from '../background.js'
import { BERTH } from '../audit/store.js'
import { BrokerError } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { Store } from '../store/open.js'
import type { Endings } from './endings.js'
import type { Machines } from './service.js'

export interface RestartsDeps {
  readonly store: Store
  readonly endings: Endings
  readonly events: Events
  readonly machines: Machines
  readonly log: Logger
}

/**
 * A guest with `on_reboot=destroy` that reboots goes off, and its throw-away layer with it; then
 * the broker starts it again.
 */
export class Restarts {
  constructor(readonly deps: RestartsDeps) {}

  start(): void {
    this.deps.events.subscribe('powerChanged', (id, power) => {
      if (power !== 'off') return
      inBackground({
        log: this.deps.log,
        what: 'machines.restart',
        work: () => this.#onOff(id),
        retries: 8,
      })
    })
  }

  async #onOff(id: string): Promise<void> {
    const { store, endings } = this.deps
    const machine = await store
      .selectFrom('machine')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst()
    if (machine?.discard_on_reboot !== 1 || machine.wanted_power !== 'on') return
    if ((await endings.of(machine.hypervisor, machine.name)) !== 'reboot') return
    try {
      await this.deps.machines.power(machine.name, { action: 'start' }, BERTH)
    } catch (error) {
      if (!(error instanceof BrokerError && error.code === 'busy'))
        this.deps.log.error(
          { err: error, machine: machine.name },
          'a machine that rebooted could not be started again',
        )
    }
  }
}
