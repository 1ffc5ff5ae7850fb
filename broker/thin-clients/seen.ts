import { sql } from 'kysely'
import type { AskAnswer, AskRequest } from '../api/thin-clients.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import { normalMacs } from './device-macs.js'

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
  readonly macs: readonly string[]
}

/** Between two questions an agent rests for a moment only; one that is silent for longer is away. */
const AWAY_AFTER_MS = 10_000
const AWAY_LOOK_EVERY_MS = 1_000
const FLUSHED_AT_ONCE = 500

export const NOT_ASKED = 'It has not asked since the broker started.'

/** The devices as they were last heard. `onChange`: somebody who looks at them would see something else. */
export class SeenDevices {
  readonly #seen = new Map<string, Seen>()
  /** How many questions of each are open; 0: it was answered a moment ago. */
  readonly #held = new Map<string, number>()
  /** When each was answered that has no open question, the earliest first. */
  readonly #answered = new Map<string, number>()
  /** Heard since what is known of it was kept. */
  readonly #fresh = new Set<string>()
  #timer: NodeJS.Timeout | undefined

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
      macs: normalMacs(request.macs),
    })
  }

  /**
   * `showing`: title and protocol, or null. One that shows its desktop goes on to do so over a
   * restart of the broker, and asks nothing.
   */
  reported(device: ThinClientRow, showing: string | null, note: string): void {
    const { address, version, hostname } = device
    const seen = this.#seen.get(device.id) ?? {
      state: null,
      sentence: showing === null ? NOT_ASKED : 'It has shown this since before the broker started.',
      machine: null,
      address,
      version,
      hostname,
      macs: [device.mac],
    }
    this.#note(device.id, { ...seen, showing, note, lastSeenMs: Date.now() })
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#passTime()
    }, AWAY_LOOK_EVERY_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** A question of this device is open from now on; `letGo` when it was answered. */
  hold(id: string): void {
    const questions = this.#held.get(id)
    if (questions === undefined) this.onChange()
    this.#answered.delete(id)
    this.#held.set(id, (questions ?? 0) + 1)
  }

  letGo(id: string): void {
    const questions = (this.#held.get(id) ?? 1) - 1
    this.#held.set(id, questions)
    if (questions === 0) this.#answered.set(id, performance.now())
    const seen = this.#seen.get(id)
    if (!seen) return
    this.#seen.set(id, { ...seen, lastSeenMs: Date.now() })
    this.#fresh.add(id)
  }

  forget(id: string): void {
    this.#seen.delete(id)
    this.#fresh.delete(id)
    this.onChange()
  }

  /** Keeps when each was last heard that was heard since the last time: a statement for many. */
  async flush(): Promise<void> {
    const ids = [...this.#fresh]
    this.#fresh.clear()
    try {
      for (let from = 0; from < ids.length; from += FLUSHED_AT_ONCE)
        await this.#keep(ids.slice(from, from + FLUSHED_AT_ONCE))
    } catch (error) {
      for (const id of ids) this.#fresh.add(id)
      throw error
    }
  }

  async #keep(ids: readonly string[]): Promise<void> {
    const rows = ids.flatMap((id) => {
      const seen = this.#seen.get(id)
      if (!seen) return []
      return [sql`(${id}, ${seen.lastSeenMs}, ${seen.address}, ${seen.version}, ${seen.hostname})`]
    })
    if (rows.length === 0) return
    await sql`
      UPDATE thin_client
      SET last_seen = CAST(heard.column2 AS BIGINT), address = heard.column3,
        version = heard.column4, hostname = heard.column5
      FROM (VALUES ${sql.join(rows)}) AS heard
      WHERE thin_client.id = heard.column1
        AND thin_client.last_seen < CAST(heard.column2 AS BIGINT)`.execute(this.store)
  }

  #passTime(): void {
    const since = performance.now() - AWAY_AFTER_MS
    for (const [id, atMs] of this.#answered) {
      if (atMs > since) return
      this.#answered.delete(id)
      this.#held.delete(id)
      this.onChange()
    }
  }

  #note(id: string, now: Seen): void {
    const before = this.#seen.get(id)
    this.#seen.set(id, now)
    this.#fresh.add(id)
    // When it was last heard is no news by itself: every device would be some each minute.
    if (!before || !isAlike(before, now)) this.onChange()
  }
}

/** All but when it was heard. */
function isAlike(one: Seen, other: Seen): boolean {
  return (Object.keys(one) as Array<keyof Seen>).every(
    (key) => key === 'lastSeenMs' || String(one[key]) === String(other[key]),
  )
}
