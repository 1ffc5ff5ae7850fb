import type { Store } from '../store/open.js'

/** A site of ten thousand that is switched on for the first time is not held up; a flood is. */
const MOST_A_MINUTE = 15_000
const MOST_DEVICES = 50_000
const MINUTE_MS = 60_000

/** How many devices have been given a key without anybody's word, in this minute and in all. */
export class FirstContacts {
  #minute = -1
  #made = 0
  #devices = 0

  constructor(readonly deps: { readonly store: Store; readonly now: () => number }) {}

  /** Counts one, unless there are too many: then it gives the sentence that says so. */
  async count(): Promise<string | null> {
    const minute = Math.floor(this.deps.now() / MINUTE_MS)
    if (minute !== this.#minute) {
      const { count } = await this.deps.store
        .selectFrom('thin_client')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      this.#minute = minute
      this.#made = 0
      this.#devices = Number(count)
    }
    if (this.#devices >= MOST_DEVICES)
      return (
        `There are ${MOST_DEVICES} devices already. Ask the administrator to remove those that ` +
        'are gone ("berth thin-client remove").'
      )
    if (this.#made >= MOST_A_MINUTE) return 'Too many new devices ask at once: this one asks again.'
    this.#made += 1
    this.#devices += 1
    return null
  }
}
