import type { Logger } from 'pino'
import { BERTH } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import type { HelperEvent } from '../hypervisors/helper-channel.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Store } from '../store/open.js'
import type { Observer } from './observer.js'
import type { Machines } from './service.js'

export interface RestartsDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly machines: Machines
  readonly log: Logger
}

/** The word of a reboot and the power-off that it causes come close together. */
const REBOOT_COUNTS_MS = 60_000

/**
 * A guest with `on_reboot=destroy` that reboots goes off, and its throw-away layer with it; then the broker starts it again. QEMU's SHUTDOWN event tells a
 * reboot from a shutdown (`reason` guest-reset or guest-shutdown, https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html).
 */
export class Restarts {
  readonly #rebootedAt = new Map<string, number>()

  constructor(readonly deps: RestartsDeps) {}

  start(): void {
    this.deps.hypervisors.on('event', (_hypervisor, event) => {
      this.#onEvent(event)
    })
    this.deps.observer.on('power', (id, power) => {
      if (power === 'off') void this.#onOff(id)
    })
  }

  #onEvent({ event, kind, name, detail }: HelperEvent): void {
    if (event !== 'domain' || kind !== 'shutdown' || name === undefined) return
    if (detail === 'guest-reset') this.#rebootedAt.set(name, Date.now())
    else if (detail === 'guest-shutdown') this.#rebootedAt.delete(name) // libvirt ends QEMU by a signal after either: host-signal says nothing
  }

  async #onOff(id: string): Promise<void> {
    const machine = await this.deps.store
      .selectFrom('machine')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst()
    if (!machine) return
    const rebooted = Date.now() - (this.#rebootedAt.get(machine.name) ?? 0) < REBOOT_COUNTS_MS
    this.#rebootedAt.delete(machine.name)
    if (!rebooted || machine.discard_on_reboot === 0 || machine.wanted_power !== 'on') return
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
