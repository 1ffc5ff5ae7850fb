import type { AskAnswer, AskRequest } from '../api/thin-clients.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'

/** What a device was last told and shows; in memory, since it changes all the time. */
export interface Seen {
  /** null: it was told nothing since the broker started. */
  readonly state: AskAnswer['state'] | null
  readonly sentence: string
  readonly machine: string | null
  readonly showing: string | null
  readonly note: string
  readonly lastSeenMs: number
  readonly address: string
  readonly version: string
  readonly hostname: string
}

/** Between two questions an agent rests for a moment only; one that is silent for longer is away. */
const AWAY_AFTER_MS = 10_000

export const NOT_ASKED = 'It has not asked since the broker started.'

/** The devices as they were last heard. `onChange`: somebody who looks at them would see something else. */
export class SeenDevices {
  readonly #seen = new Map<string, Seen>()
  readonly #held = new Map<string, { questions: number; away?: NodeJS.Timeout }>()

  constructor(
    readonly store: Store,
    readonly onChange: () => void,
  ) {}

  of(id: string): Seen | undefined {
    return this.#seen.get(id)
  }

  /** It waits for an answer, or did so a moment ago. */
  isHere(id: string): boolean {
    return this.#held.has(id)
  }

  asked(
    device: ThinClientRow,
    request: AskRequest,
    address: string,
    told: Pick<Seen, 'state' | 'sentence' | 'machine'>,
  ): void {
    this.#note(device.id, {
      ...told,
      note: request.note ?? '',
      showing: null,
      lastSeenMs: Date.now(),
      address,
      version: request.version,
      hostname: request.hostname,
    })
  }

  /** `showing`: title and protocol, or null. One that shows its desktop goes on to do so over a restart of the broker, and asks nothing. */
  reported(device: ThinClientRow, showing: string | null, note: string): void {
    const { address, version, hostname } = device
    const seen = this.#seen.get(device.id) ?? {
      state: null,
      sentence: showing === null ? NOT_ASKED : 'It has shown this since before the broker started.',
      machine: null,
      address,
      version,
      hostname,
    }
    this.#note(device.id, { ...seen, showing, note, lastSeenMs: Date.now() })
  }

  /** A question of this device is answered now. Gives what is to be called when it was. */
  hold(id: string): () => void {
    const held = this.#held.get(id)
    if (!held) this.onChange()
    clearTimeout(held?.away)
    this.#held.set(id, { questions: (held?.questions ?? 0) + 1 })
    return () => {
      this.#answered(id)
    }
  }

  forget(id: string): void {
    this.#seen.delete(id)
    this.onChange()
  }

  /** Keeps when each was last heard. */
  async flush(): Promise<void> {
    await this.store.transaction().execute(async (tx) => {
      for (const [id, seen] of this.#seen) {
        await tx
          .updateTable('thin_client')
          .set({
            last_seen: seen.lastSeenMs,
            address: seen.address,
            version: seen.version,
            hostname: seen.hostname,
          })
          .where('id', '=', id)
          .where('last_seen', '<', seen.lastSeenMs)
          .execute()
      }
    })
  }

  stop(): void {
    for (const { away } of this.#held.values()) clearTimeout(away)
  }

  #answered(id: string): void {
    const questions = (this.#held.get(id)?.questions ?? 1) - 1
    const away =
      questions > 0
        ? {}
        : {
            away: setTimeout(() => {
              this.#held.delete(id)
              this.onChange()
            }, AWAY_AFTER_MS).unref(),
          }
    this.#held.set(id, { questions, ...away })
    const seen = this.#seen.get(id)
    if (seen) this.#seen.set(id, { ...seen, lastSeenMs: Date.now() })
  }

  #note(id: string, now: Seen): void {
    const before = this.#seen.get(id)
    this.#seen.set(id, now)
    // When it was last heard is no news by itself: every device would be some each minute.
    if (
      !before ||
      JSON.stringify({ ...before, lastSeenMs: 0 }) !== JSON.stringify({ ...now, lastSeenMs: 0 })
    )
      this.onChange()
  }
}
