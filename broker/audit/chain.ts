import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { AuditVerified } from '../api/users.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { eventsAfter } from './events.js'
import { type Anchor, anchorOf } from './retention.js'
import { chainHash, NO_ROW } from './store.js'

const ROWS_AT_A_TIME = 500
const HEAD_EVERY_MS = 5_000

/** Rows from before there was a chain get their hashes, once. Later a row without one is a fault. */
export async function chainOldRows(store: Store): Promise<void> {
  await inTransaction(store, async (tx) => {
    if (
      !(await tx
        .selectFrom('setting')
        .select('name')
        .where('name', '=', 'audit-unchained')
        .executeTakeFirst())
    )
      return
    let previous = NO_ROW
    let id = 0
    for (;;) {
      const rows = await eventsAfter(tx, id, ROWS_AT_A_TIME)
      for (const row of rows) {
        previous = chainHash(previous, row)
        await tx.updateTable('event').set({ hash: previous }).where('id', '=', row.id).execute()
      }
      if (rows.length < ROWS_AT_A_TIME) break
      id = rows.at(-1)?.id ?? id
    }
    await tx.deleteFrom('setting').where('name', '=', 'audit-unchained').execute()
  })
}

/**
 * Computes every hash again. Finds a row that was changed, put in or taken out; `head`, a hash that
 * was logged or exported earlier, also shows when the end was cut off or everything was rewritten.
 */
export async function verifyChain(queries: Queries, head?: string): Promise<AuditVerified> {
  const anchor = (await anchorOf(queries)) ?? BEGINNING
  let last: AuditVerified['head'] = null
  let isAnchored = anchor === BEGINNING
  let events = 0
  let isHeadSeen = head === undefined
  for await (const rows of pagesAfter(queries, anchor.id))
    for (const row of rows) {
      const hash = chainHash((last ?? anchor).hash, row)
      if (hash !== row.hash) return broken(events, last, { id: row.id, message: changed(row.id) })
      isHeadSeen ||= hash === head
      isAnchored ||= namesAnchor(row, anchor)
      last = { id: row.id, hash }
      events += 1
    }
  if (!isAnchored) return broken(events, last, { id: anchor.id, message: BEGINNING_LOST })
  if (!isHeadSeen) return broken(events, last, { id: 0, message: END_LOST })
  return { good: true, events, head: last, fault: null }
}

/** Of a log of which nothing was removed. */
const BEGINNING: Anchor = { id: -1, hash: NO_ROW }

async function* pagesAfter(queries: Queries, id: number) {
  for (let after: number | undefined = id; after !== undefined;) {
    const rows = await eventsAfter(queries, after, ROWS_AT_A_TIME)
    yield rows
    if (rows.length < ROWS_AT_A_TIME) return
    after = rows.at(-1)?.id
    await nextTurn() // millions of rows are no reason for others to wait
  }
}

const BEGINNING_LOST =
  'Events were removed at the beginning, and no event says that the retention did it.'
const END_LOST =
  'The given head is not in the chain: events were cut off at the end, or the whole log was rewritten.'

function changed(id: number): string {
  return `Event ${id} is not as it was written, or an event before it is missing.`
}

function broken(
  events: number,
  head: AuditVerified['head'],
  fault: NonNullable<AuditVerified['fault']>,
): AuditVerified {
  return { good: false, events, head, fault }
}

function namesAnchor(row: { action: string; detail: string }, anchor: Anchor): boolean {
  if (row.action !== 'audit.prune') return false
  const { id, hash } = JSON.parse(row.detail) as Partial<Anchor>
  return id === anchor.id && hash === anchor.hash
}

/**
 * Tells the log where the chain ends, when that has changed: an administrator compares it with
 * `berth audit verify --head`.
 */
export class HeadLog {
  #timer: NodeJS.Timeout | undefined
  #told = ''

  constructor(
    readonly store: Store,
    readonly log: Logger,
  ) {}

  start(): void {
    this.#timer = setInterval(() => {
      this.tell().catch((error: unknown) => {
        this.log.error({ err: error }, 'the head of the audit log could not be read')
      })
    }, HEAD_EVERY_MS)
    this.#timer.unref()
  }

  /** The last head goes to the log too. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.tell()
  }

  async tell(): Promise<void> {
    const head = await this.store
      .selectFrom('event')
      .select(['id', 'hash'])
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst()
    if (!head?.hash || head.hash === this.#told) return
    this.#told = head.hash
    this.log.info({ event: head.id, hash: head.hash }, 'audit head')
  }
}
