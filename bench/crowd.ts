import { setTimeout as delay } from 'node:timers/promises'
import type { ThinClientStandIn } from './thin-client-stand-in.js'

/**
 * As the thin client's own long poll, its pause between two questions, and the most by which the
 * broker ends a poll early so that all do not come together.
 */
export const POLL_MS = 240_000
const PAUSE_MS = 500
const JITTER = 0.2
const RETRY_MS = 1_000

/**
 * An answer that a waiting device got: `isNews`, it says something else than the one before;
 * `isEarly`, it came before the poll was over.
 */
export interface Answered {
  readonly device: ThinClientStandIn
  readonly isNews: boolean
  readonly isEarly: boolean
}

/**
 * The devices' loops: each asks again half a second after it has an answer, and as a real one does
 * also after a connection was lost.
 */
export class Crowd {
  waiting = 0
  lost = 0
  onAnswer: (answered: Answered) => void = () => {}
  #stopped = false

  stop(): void {
    this.#stopped = true
  }

  async live(device: ThinClientStandIn): Promise<void> {
    await delay(pause())
    while (!this.#stopped) {
      this.waiting += 1
      try {
        const [before, sinceMs] = [device.mark, performance.now()]
        await device.ask(POLL_MS)
        this.onAnswer({
          device,
          isNews: device.mark !== before,
          isEarly: performance.now() - sinceMs < POLL_MS * (1 - JITTER) - RETRY_MS,
        })
      } catch {
        this.lost += 1
        await delay(RETRY_MS)
      } finally {
        this.waiting -= 1
      }
      await delay(pause())
    }
  }
}

function pause(): number {
  return PAUSE_MS * (1 - JITTER + Math.random() * 2 * JITTER)
}
