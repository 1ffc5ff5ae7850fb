import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { sentenceOf } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'

export interface ReadyingDeps {
  readonly events: Events
  readonly log: Logger
  /** Makes the host ready each time its line comes up. */
  readonly prepare: (hypervisor: string) => Promise<void>
}

const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 60_000

/**
 * A host that is up is worked with when it is prepared; what fails is tried again, and shown, until
 * the line is lost.
 */
export class Readying {
  readonly #preparing = new Map<string, AbortController>()
  /** Why a host that is up cannot be worked with yet. */
  readonly #unready = new Map<string, string>()

  constructor(readonly deps: ReadyingDeps) {}

  /** Null: it is ready, or its line is not up. */
  whyNot(hypervisor: string): string | null {
    return this.#unready.get(hypervisor) ?? null
  }

  /** Its line is up. */
  begin(hypervisor: string): void {
    this.end(hypervisor)
    const lost = new AbortController()
    this.#preparing.set(hypervisor, lost)
    this.#makeReady(hypervisor, lost.signal).catch((error: unknown) => {
      this.deps.log.error({ err: error, hypervisor }, 'preparing a hypervisor failed')
    })
  }

  /** Its line was lost. */
  end(hypervisor: string): void {
    this.#preparing.get(hypervisor)?.abort()
    this.#preparing.delete(hypervisor)
    this.#unready.delete(hypervisor)
  }

  stop(): void {
    for (const preparing of this.#preparing.values()) preparing.abort()
  }

  async #makeReady(hypervisor: string, lost: AbortSignal): Promise<void> {
    const { events, log, prepare } = this.deps
    for (let waitMs = FIRST_RETRY_MS; !lost.aborted; waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
      try {
        await prepare(hypervisor)
        if (lost.aborted) return
        if (this.#unready.delete(hypervisor)) events.publish('hypervisorChanged', hypervisor)
        events.publish('hypervisorReady', hypervisor)
        return
      } catch (error) {
        if (lost.aborted) return
        log.error({ err: error, hypervisor }, 'hypervisor could not be made ready')
        this.#unready.set(hypervisor, sentenceOf(error))
        events.publish('hypervisorChanged', hypervisor)
      }
      await delay(waitMs, undefined, { signal: lost, ref: false }).catch(() => {}) // the line was lost
    }
  }
}
