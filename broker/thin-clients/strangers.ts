import { LRUCache } from 'lru-cache'
import { subnetOf } from '../addresses.js'
import { recordEvent } from '../audit/store.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { ThinClientRow } from '../store/tables.js'
import type { Caller } from './askers.js'

const DAY_MS = 24 * 3_600_000
/**
 * Of one device, and of one address, so often something is written; a flood is told from the
 * figures, not by a row for each question.
 */
const DEVICE_EVERY_MS = 10_000
const ADDRESS_EVERY_MS = 1_000
const MOST_REMEMBERED = 10_000

/** Devices that ask in the place of a known one, without its key: counted in its row, with one event a day. */
export class Strangers {
  /** How often since the last time that the row was written. */
  readonly #counted = new LRUCache<string, number>({ max: MOST_REMEMBERED })
  readonly #written = new LRUCache<string, number>({ max: MOST_REMEMBERED })

  constructor(readonly deps: { readonly store: Store; readonly now: () => number }) {}

  async note(device: ThinClientRow, { address }: Caller): Promise<void> {
    const now = this.deps.now()
    this.#counted.set(device.id, (this.#counted.get(device.id) ?? 0) + 1)
    if (
      this.#isTooSoon(`device:${device.id}`, DEVICE_EVERY_MS, now) ||
      this.#isTooSoon(`address:${subnetOf(address)}`, ADDRESS_EVERY_MS, now)
    )
      return
    this.#written.set(`device:${device.id}`, now)
    this.#written.set(`address:${subnetOf(address)}`, now)
    const asked = this.#counted.get(device.id) ?? 1
    this.#counted.delete(device.id)
    await this.#write(device, address, asked, Math.floor(now / DAY_MS))
  }

  async #write(device: ThinClientRow, address: string, asked: number, day: number): Promise<void> {
    await inTransaction(this.deps.store, async (tx) => {
      const row = await tx
        .selectFrom('thin_client')
        .select(['strangers', 'strangers_day'])
        .where('id', '=', device.id)
        .executeTakeFirst()
      if (!row) return
      const strangers = (row.strangers_day === day ? row.strangers : 0) + asked
      const note =
        'A device without its key asked ' +
        `from ${address}${strangers > 1 ? `; ${strangers} such questions today` : ''}.`
      await tx
        .updateTable('thin_client')
        .set({ strangers, strangers_day: day, note })
        .where('id', '=', device.id)
        .execute()
      if (row.strangers_day !== day)
        await recordEvent(
          tx,
          { actor: `thin-client:${device.mac}`, address },
          'thin-client.wrong-key',
          `thin-client:${device.id}`,
          {},
          'refused',
        )
    })
  }

  #isTooSoon(what: string, everyMs: number, now: number): boolean {
    return now - (this.#written.get(what) ?? -Infinity) < everyMs
  }
}
