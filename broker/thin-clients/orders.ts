import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { inBackground } from '../background.js'
import {
  type DeviceOrder,
  MESSAGE_SECONDS,
  type OrderKind,
  type OrderState,
} from '../api/device-orders.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { ThinClientOrderRow, ThinClientRow } from '../store/tables.js'

export interface OrdersDeps {
  readonly store: Store
  readonly log: Logger
  /** What of this device waits for an answer looks again. */
  readonly tell: (deviceId: string) => void
  readonly now: () => number
}

/** What an administrator wants of a device; `text` and `seconds` are those of a message. */
export interface Wish {
  readonly kind: OrderKind
  readonly text?: string
  readonly seconds?: number
}

/**
 * A device that asks within this time is told. Devices wait at the broker all the time, so a longer
 * one would only surprise somebody who sits down later.
 */
export const ORDER_LIFETIME_MS = 120_000
/**
 * An answer that was lost is given again, but not to a device that is just doing what it was told.
 * A restart is never told twice: a device that comes back has forgotten that it did so.
 */
const RESEND_AFTER_MS = 5_000
const MOST_OPEN = 20
const MOST_KEPT = 20

/**
 * Messages, reconnects and restarts for devices: wishes that a device is told of when it asks, or
 * at once while it waits for an answer.
 */
export class Orders {
  readonly #timers = new Set<NodeJS.Timeout>()
  /** Devices for which an order may be open; null until those of before the start are known. */
  #open: Set<string> | null = null
  /** Given before they were known. */
  readonly #given = new Set<string>()
  #gives = 0

  constructor(readonly deps: OrdersDeps) {}

  async start(): Promise<void> {
    const open = await this.deps.store
      .selectFrom('thin_client_order')
      .select(['thin_client_id', 'expires_at'])
      .where('state', 'in', ['pending', 'sent'])
      .execute()
    this.#open = new Set([...this.#given, ...open.map((row) => row.thin_client_id)])
    this.#given.clear()
    for (const { expires_at: at } of open) this.#expireAt(at)
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
  }

  /** False: there is no order for it, so that nobody needs to look. */
  mayWaitFor(deviceId: string): boolean {
    return this.#open?.has(deviceId) ?? true
  }

  /**
   * A reconnect or restart that is still under way is not ordered twice. Throws `device_unknown`,
   * `too_many_requests`.
   */
  async give(device: ThinClientRow, wish: Wish, by: Actor): Promise<OrderState> {
    if (device.accepted === 0) throw refusal('device_not_told', { mac: device.mac, id: device.id })
    const now = this.deps.now()
    const row: ThinClientOrderRow = {
      id: randomUUID(),
      thin_client_id: device.id,
      kind: wish.kind,
      text: wish.text ?? '',
      seconds: wish.seconds ?? MESSAGE_SECONDS.default,
      ordered_by: by.actor,
      state: 'pending',
      sentence: 'It is told as soon as it asks.',
      created_at: now,
      expires_at: now + ORDER_LIFETIME_MS,
      sent_at: null,
      finished_at: null,
    }
    const known = await insertUnlessOpen(this.deps.store, device, row, by)
    if (known) return toApi(known)
    this.#expireAt(row.expires_at)
    this.#gives += 1
    const waiting = this.#open ?? this.#given
    waiting.add(device.id)
    this.deps.tell(device.id)
    return toApi(row)
  }

  /**
   * What the device is to be told now, or null. `knows`: the kinds that its agent understands;
   * orders of others end here.
   */
  async next(
    device: Pick<ThinClientRow, 'id'>,
    version: string,
    knows: readonly string[],
  ): Promise<DeviceOrder | null> {
    const now = this.deps.now()
    const before = this.#gives
    const open = await this.deps.store
      .selectFrom('thin_client_order')
      .selectAll()
      .where('thin_client_id', '=', device.id)
      .where('state', 'in', ['pending', 'sent'])
      .orderBy('created_at')
      .execute()
    if (open.length === 0 && before === this.#gives) this.#open?.delete(device.id)
    for (const row of open.filter(
      (one) =>
        one.expires_at > now &&
        (one.sent_at === null || (one.kind !== 'reboot' && one.sent_at <= now - RESEND_AFTER_MS)),
    )) {
      if (!knows.includes(row.kind)) {
        await this.#finish(
          row.id,
          'unsupported',
          `The agent of this device (version ${version === '' ? 'unknown' : version}) does ` +
            'not know this: install the newer one.',
        )
        continue
      }
      await this.deps.store
        .updateTable('thin_client_order')
        .set({
          state: 'sent',
          sent_at: now,
          sentence: 'It was told, and has not said yet what it did.',
        })
        .where('id', '=', row.id)
        .where('state', 'in', ['pending', 'sent'])
        .execute()
      return { id: row.id, kind: row.kind, text: row.text, seconds: row.seconds }
    }
    return null
  }

  /** What the device says of an order of its own; a late word counts, a second one does not. Throws `not_found`. */
  async done(
    device: Pick<ThinClientRow, 'id' | 'mac'>,
    id: string,
    outcome: 'done' | 'refused',
    sentence: string,
  ): Promise<void> {
    const row = await this.deps.store
      .selectFrom('thin_client_order')
      .select('state')
      .where('id', '=', id)
      .where('thin_client_id', '=', device.id)
      .executeTakeFirst()
    if (!row) throw refusal('order_unknown', { order: id, mac: device.mac })
    await this.#finish(id, outcome, sentence)
  }

  /** The last ones, newest first. */
  async of(deviceId: string): Promise<OrderState[]> {
    const rows = await this.deps.store
      .selectFrom('thin_client_order')
      .selectAll()
      .where('thin_client_id', '=', deviceId)
      .orderBy('created_at', 'desc')
      .limit(MOST_KEPT)
      .execute()
    return rows.map(toApi)
  }

  async #finish(
    id: string,
    state: 'done' | 'refused' | 'unsupported',
    sentence: string,
  ): Promise<void> {
    await this.deps.store
      .updateTable('thin_client_order')
      .set({ state, sentence, finished_at: this.deps.now() })
      .where('id', '=', id)
      .where('state', 'in', ['pending', 'sent', 'not-reached'])
      .execute()
  }

  #expireAt(atMs: number): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer)
        inBackground({
          log: this.deps.log,
          what: 'thin-clients.orders',
          work: () => this.#expire(),
          retries: 20,
        })
      },
      Math.max(0, atMs - this.deps.now()),
    )
    this.#timers.add(timer.unref())
  }

  async #expire(): Promise<void> {
    const now = this.deps.now()
    const minutes = ORDER_LIFETIME_MS / 60_000
    const sentences = {
      pending: `It did not ask within ${minutes} minutes: is it switched on?`,
      sent: `It was told, but did not confirm within ${minutes} minutes.`,
    } as const
    for (const state of ['pending', 'sent'] as const) {
      await this.deps.store
        .updateTable('thin_client_order')
        .set({ state: 'not-reached', sentence: sentences[state], finished_at: now })
        .where('state', '=', state)
        .where('expires_at', '<=', now)
        .execute()
    }
  }
}

/** Gives the open order of the same kind, where there is one that is not a message; null: it is inserted. */
async function insertUnlessOpen(
  store: Store,
  device: ThinClientRow,
  row: ThinClientOrderRow,
  by: Actor,
): Promise<ThinClientOrderRow | null> {
  return await inTransaction(store, async (tx) => {
    const open = await tx
      .selectFrom('thin_client_order')
      .selectAll()
      .where('thin_client_id', '=', device.id)
      .where('state', 'in', ['pending', 'sent'])
      .execute()
    const same = row.kind === 'message' ? undefined : open.find(({ kind }) => kind === row.kind)
    if (same) return same
    if (open.length >= MOST_OPEN)
      throw refusal('too_many_orders', { count: open.length, mac: device.mac })
    await tx.insertInto('thin_client_order').values(row).execute()
    const kept = tx
      .selectFrom('thin_client_order')
      .select('id')
      .where('thin_client_id', '=', device.id)
      .orderBy('created_at', 'desc')
      .limit(MOST_KEPT)
    await tx
      .deleteFrom('thin_client_order')
      .where('thin_client_id', '=', device.id)
      .where('state', 'not in', ['pending', 'sent'])
      .where('id', 'not in', kept)
      .execute()
    await recordEvent(
      tx,
      by,
      `thin-client.${row.kind}`,
      `thin-client:${device.id}`,
      row.kind === 'message' ? { text: row.text, seconds: row.seconds } : {},
    )
    return null
  })
}

function toApi(row: ThinClientOrderRow): OrderState {
  const instant = (ms: number): string => new Date(ms).toISOString()
  return {
    id: row.id,
    kind: row.kind,
    text: row.text,
    state: row.state,
    sentence: row.sentence,
    by: row.ordered_by,
    createdAt: instant(row.created_at),
    expiresAt: instant(row.expires_at),
    finishedAt: row.finished_at === null ? null : instant(row.finished_at),
  }
}
