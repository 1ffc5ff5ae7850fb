import { LRUCache } from 'lru-cache'
import { refusal } from '../errors/broker-error.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { ConsoleMachine } from './asker.js'

export interface ThumbnailsDeps {
  readonly hypervisors: Hypervisors
  /** Who is connected to the machine with a screen of their own now; empty: nobody. */
  readonly connected: (machine: string) => Promise<readonly string[]>
  /** Monotonic, in ms. */
  readonly now: () => number
}

/** However many look, a host takes no more than one picture of a screen in this time. */
const KEPT_MS = 5_000
const WITHIN_MS = 15_000
const MOST_KEPT = 500

/** Pictures of screens, for those who look after the site. */
export class Thumbnails {
  readonly #kept = new LRUCache<string, { at: number; png: Promise<Buffer> }>({ max: MOST_KEPT })
  constructor(readonly deps: ThumbnailsDeps) {}

  /**
   * A PNG. Nobody's work is looked at without their knowledge: while somebody else is connected there
   * is no picture, and who must see the screen opens it to watch, which is told. Throws
   * `console_in_use`, `machine_off` and what the hypervisor says.
   */
  async of(machine: ConsoleMachine & { readonly power: string }, asker: string): Promise<Buffer> {
    if (machine.power !== 'running') throw refusal('no_picture', { machine: machine.name })
    const others = (await this.deps.connected(machine.name)).filter((name) => name !== asker)
    if (others.length > 0) throw refusal('picture_of_somebody', { machine: machine.name })
    const { now } = this.deps
    const kept = this.#kept.get(machine.id)
    if (kept && now() - kept.at < KEPT_MS) return await kept.png
    const png = this.deps.hypervisors
      .link(machine.hypervisor)
      .request<{ png: string }>(
        'display_picture',
        { domain: machine.name },
        { timeoutMs: WITHIN_MS },
      )
      .then(({ png }) => Buffer.from(png, 'base64'))
    this.#kept.set(machine.id, { at: now(), png })
    png.catch(() => {
      if (this.#kept.get(machine.id)?.png === png) this.#kept.delete(machine.id)
    })
    return await png
  }
}
