import { setTimeout as delay } from 'node:timers/promises'
import type { PowerAction, PowerState } from '../api/machines.js'
import { refusal } from '../errors/broker-error.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Store } from '../store/open.js'
import type { MachineRow } from '../store/tables.js'
import { hasDisk } from './disks.js'
import { defineMachine, diskOf, type DomainExtrasOf, domainOf } from './definition.js'
import type { Observer } from './observer.js'
import { Limit } from './start-limit.js'

export interface PowerDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly extrasOf: DomainExtrasOf
}

const LOOK_EVERY_MS = 500
const DEAD: readonly PowerState[] = ['off', 'crashed', 'missing']
/** How long a reset may take to leave a machine off whose reboot counts as power-off. */
const OFF_AFTER_RESET_MS = 5_000

const NEVER = new AbortController().signal

/** What is done to the power of one machine; every action may be repeated and then does nothing. */
export class Power {
  readonly #starts: Limit

  constructor(readonly deps: PowerDeps) {
    this.#starts = new Limit((hypervisor) => deps.hypervisors.row(hypervisor).max_starts)
  }

  /** `timeoutMs`: how long a guest may take to shut down before the plug is pulled. */
  async act(
    machineId: string,
    action: PowerAction,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<string> {
    const machine = await this.#machine(machineId)
    switch (action) {
      case 'start':
        return await this.start(machine, signal)
      case 'shutdown':
        return await this.#shutdown(machine, timeoutMs, signal)
      case 'poweroff':
        return await this.powerOff(machine)
      case 'reboot':
        return await this.#restart(machine, 'domain_reboot', timeoutMs, signal)
      case 'reset':
        return await this.#restart(machine, 'domain_reset', OFF_AFTER_RESET_MS, signal)
    }
  }

  /** Starts it, or lets it go on when it is paused. At most so many starts at a time on one hypervisor. */
  async start(machine: MachineRow, signal: AbortSignal): Promise<string> {
    const link = this.deps.hypervisors.link(machine.hypervisor)
    const start = async (): Promise<string> => {
      const power = await this.deps.observer.powerNow(machine)
      if (power === 'running') return 'It was running already.'
      if (power === 'missing')
        throw refusal('domain_missing', { hypervisor: machine.hypervisor, machine: machine.name })
      if (power === 'paused' || power === 'suspended') {
        await link.resumeDomain(domainOf(machine))
        return 'It was paused and goes on.'
      }
      refuseNoDisk(machine)
      // A host that lost its power leaves the throw-away layer behind, which blocks the next start (libvirt issue 684).
      if (machine.discard_changes === 1 && power !== 'shutting-down')
        await link.request('transient_clear', {
          domain: machine.name,
          uuid: machine.id,
          name: `${machine.name}.qcow2`,
        })
      // Who has it decides what its viewers may do, and where displays listen may have changed meanwhile.
      if (machine.adopted === 0 && power !== 'shutting-down')
        await defineMachine(this.deps, machine.id)
      refuseIfCancelled(signal)
      await this.deps.store
        .updateTable('machine')
        .set({ wanted_power: 'on' })
        .where('id', '=', machine.id)
        .execute()
      await link.startDomain(domainOf(machine))
      // noted before the job ends: who asks then must not see it off and start it again
      await this.deps.observer.powerNow(machine)
      return ''
    }
    return await this.#starts.run(machine.hypervisor, start, signal)
  }

  async powerOff(machine: MachineRow): Promise<string> {
    await this.deps.store
      .updateTable('machine')
      .set({ wanted_power: null })
      .where('id', '=', machine.id)
      .execute()
    if (DEAD.includes(await this.deps.observer.powerNow(machine))) return 'It was off already.'
    await this.deps.hypervisors.link(machine.hypervisor).destroyDomain(domainOf(machine))
    await this.deps.observer.powerNow(machine)
    this.deps.observer.look(machine.hypervisor)
    return ''
  }

  async #shutdown(machine: MachineRow, timeoutMs: number, signal: AbortSignal): Promise<string> {
    const link = this.deps.hypervisors.link(machine.hypervisor)
    await this.deps.store
      .updateTable('machine')
      .set({ wanted_power: null })
      .where('id', '=', machine.id)
      .execute()
    if (DEAD.includes(await this.deps.observer.powerNow(machine))) return 'It was off already.'
    refuseIfCancelled(signal)
    await link.shutdownDomain(domainOf(machine))
    if (await this.#untilDead(machine, timeoutMs, signal)) return ''
    if (signal.aborted) throw refusal('job_cancelled_shutdown')
    await link.destroyDomain(domainOf(machine))
    return `The guest did not shut down within ${Math.round(timeoutMs / 1000)} s; the plug was pulled.`
  }

  /**
   * `offWithinMs`: how long a machine whose reboot counts as power-off may take to go off; a reboot
   * by ACPI takes the guest's own time.
   */
  async #restart(
    machine: MachineRow,
    op: 'domain_reboot' | 'domain_reset',
    offWithinMs: number,
    signal: AbortSignal,
  ): Promise<string> {
    const power = await this.deps.observer.powerNow(machine)
    if (power !== 'running') throw refusal('machine_not_running', { machine: machine.name, power })
    refuseIfCancelled(signal)
    await this.deps.store
      .updateTable('machine')
      .set({ wanted_power: 'on' })
      .where('id', '=', machine.id)
      .execute()
    await this.deps.hypervisors.link(machine.hypervisor).request(op, domainOf(machine))
    if (machine.discard_on_reboot === 0) return ''
    if (!(await this.#untilDead(machine, offWithinMs, signal))) {
      if (signal.aborted) throw refusal('job_cancelled_reboot')
      return (
        `Its guest has not gone down within ${Math.round(offWithinMs / 1000)} s; when it does, ` +
        'it is started again.'
      )
    }
    // Cancelled or not: it was running, and is not left off.
    await this.start(await this.#machine(machine.id), NEVER)
    return 'Its changes were thrown away; it was started again.'
  }

  async #untilDead(machine: MachineRow, withinMs: number, signal: AbortSignal): Promise<boolean> {
    const until = performance.now() + withinMs
    while (!signal.aborted) {
      if (DEAD.includes(await this.deps.observer.powerNow(machine))) return true
      if (performance.now() > until) return false
      await delay(Math.min(LOOK_EVERY_MS, withinMs), undefined, { signal }).catch(() => {})
    }
    return false
  }

  async #machine(id: string): Promise<MachineRow> {
    const machine = await this.deps.store
      .selectFrom('machine')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst()
    if (!machine) throw refusal('machine_deleted')
    return {
      ...machine,
      disk:
        machine.disk ??
        (machine.type === 'vdi' || machine.type === 'initial'
          ? null
          : diskOf(machine, this.deps.hypervisors.row(machine.hypervisor))),
    }
  }
}

/** Before what a host would do; what it has begun is not cut off. */
function refuseIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw refusal('job_cancelled')
}

function refuseNoDisk(machine: MachineRow): void {
  if (hasDisk(machine)) return
  const { name, type } = machine
  throw refusal(type === 'vdi' ? 'overlay_missing' : 'disk_missing', { machine: name })
}
