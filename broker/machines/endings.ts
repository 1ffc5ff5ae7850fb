import type { Events } from '../events/bus.js'
import type { HelperEvent } from '../events/map.js'

/**
 * How a machine went off: its guest was shut down, or rebooted where that counts as power-off;
 * others: somebody or something else ended it; null: nobody has said.
 */
export type Ending = 'shutdown' | 'reboot' | 'others' | null

export interface EndingsDeps {
  readonly events: Events
  readonly monotonicMs: () => number
}

interface Heard {
  readonly ending: Exclude<Ending, null>
  readonly atMs: number
}

/** The word of an ending and the power-off that it causes come close together, in either order. */
const COUNTS_MS = 60_000
const WAIT_MS = 2_000

/**
 * Remembers how machines went off. QEMU's SHUTDOWN event carries a reason
 * (https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html, ShutdownCause): only one that begins
 * with guest- is the guest's own doing. A QEMU that is killed says nothing, and libvirt then says
 * "Stopped Failed" or "Stopped Crashed"; `virsh destroy` is "Stopped Destroyed".
 */
export class Endings {
  readonly #heard = new Map<string, Heard>()
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(readonly deps: EndingsDeps) {}

  start(): void {
    this.deps.events.subscribe('hypervisorSaid', (hypervisor, event) => {
      this.#onEvent(hypervisor, event)
    })
  }

  /** How this machine, which is off now, was ended; waits a moment for who is to say it. */
  async of(hypervisor: string, name: string): Promise<Ending> {
    const key = keyOf(hypervisor, name)
    if (this.#now(key) === null) await this.#untilHeard(key)
    return this.#now(key)
  }

  #now(key: string): Ending {
    const heard = this.#heard.get(key)
    return heard && this.deps.monotonicMs() - heard.atMs < COUNTS_MS ? heard.ending : null
  }

  async #untilHeard(key: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const waiting = this.#waiting.get(key) ?? new Set()
      const done = (): void => {
        clearTimeout(timer)
        waiting.delete(done)
        if (waiting.size === 0) this.#waiting.delete(key)
        resolve()
      }
      const timer = setTimeout(done, WAIT_MS)
      this.#waiting.set(key, waiting.add(done))
    })
  }

  #onEvent(hypervisor: string, event: HelperEvent): void {
    if (event.event !== 'domain' || event.name === undefined) return
    const key = keyOf(hypervisor, event.name)
    const ending = endingIn(event)
    if (ending === 'none') this.#heard.delete(key)
    if (ending === null || ending === 'none') return
    const before = this.#now(key)
    // libvirt ends QEMU by a signal after the guest has shut down: what the guest did first is what counts.
    if (ending === 'others' && (before === 'shutdown' || before === 'reboot')) return
    this.#heard.set(key, { ending, atMs: this.deps.monotonicMs() })
    for (const done of [...(this.#waiting.get(key) ?? [])]) done()
  }
}

/** What an event says of an ending; none: it has begun to run; null: nothing. */
function endingIn({ kind, detail = '' }: HelperEvent): Ending | 'none' {
  if (kind === 'shutdown') {
    if (detail === 'guest-shutdown') return 'shutdown'
    return detail === 'guest-reset' ? 'reboot' : 'others'
  }
  if (kind !== 'lifecycle') return null
  if (detail.startsWith('Started')) return 'none'
  return /^(Stopped (Destroyed|Crashed|Failed)|Crashed)/.test(detail) ? 'others' : null
}

function keyOf(hypervisor: string, name: string): string {
  return `${hypervisor}\n${name}`
}
