import type { ExpressionBuilder } from 'kysely'
import type { AuditEvent, AuditEventFilter, AuditEventQuery } from '../api/users.js'
import type { Queries } from '../store/open.js'
import type { Tables } from '../store/tables.js'

type EventRow = {
  id: number
  at: number
  actor: string
  address: string
  action: string
  object: string
  result: string
  detail: string
  hash: string | null
}

/**
 * A filter may match nothing for a long way: so many rows are looked through at a time, a few dozen
 * milliseconds, and others get their turn.
 */
const WINDOW = 20_000

/** The newest events first. */
export async function listEvents(queries: Queries, query: AuditEventQuery): Promise<AuditEvent[]> {
  const { first, last } = await ends(queries)
  const wanted = query.limit ?? 100
  const found: EventRow[] = []
  let below = Math.min(query.before ?? Infinity, last + 1)
  while (found.length < wanted && below > first) {
    const rows = await filtered(queries, query)
      .where('id', '<', below)
      .where('id', '>=', below - WINDOW)
      .orderBy('id', 'desc')
      .limit(wanted - found.length)
      .execute()
    found.push(...rows)
    below -= WINDOW
  }
  return found.map(toEvent)
}

/** Those after `id`, the oldest first; at most `limit`. */
export async function eventsAfter(
  queries: Queries,
  id: number,
  limit: number,
  filter: AuditEventFilter = {},
): Promise<EventRow[]> {
  const { first, last } = await ends(queries)
  const found: EventRow[] = []
  let after = Math.max(id, first - 1)
  while (found.length < limit && after < last) {
    const rows = await filtered(queries, filter)
      .where('id', '>', after)
      .where('id', '<=', after + WINDOW)
      .orderBy('id')
      .limit(limit - found.length)
      .execute()
    found.push(...rows)
    after += WINDOW
  }
  return found
}

/** The first and the last id. */
async function ends(queries: Queries): Promise<{ first: number; last: number }> {
  const [first, last] = [
    await queries.selectFrom('event').select('id').orderBy('id').limit(1).executeTakeFirst(),
    await queries
      .selectFrom('event')
      .select('id')
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst(),
  ]
  return { first: first?.id ?? 0, last: last?.id ?? -1 }
}

/** `actor`, `object` and `action` are whole, or a beginning with a star: `machine:*`. */
function filtered(queries: Queries, { actor, object, action, since, until }: AuditEventFilter) {
  return queries
    .selectFrom('event')
    .selectAll()
    .$if(actor !== undefined, (q) => q.where((eb) => wholeOrBeginning(eb, 'actor', actor ?? '')))
    .$if(object !== undefined, (q) => q.where((eb) => wholeOrBeginning(eb, 'object', object ?? '')))
    .$if(action !== undefined, (q) => q.where((eb) => wholeOrBeginning(eb, 'action', action ?? '')))
    .$if(since !== undefined, (q) => q.where('at', '>=', Date.parse(since ?? '')))
    .$if(until !== undefined, (q) => q.where('at', '<', Date.parse(until ?? '')))
}

/** A beginning is looked for as a range, which an index can serve. */
function wholeOrBeginning(
  eb: ExpressionBuilder<Tables, 'event'>,
  column: 'actor' | 'object' | 'action',
  text: string,
) {
  return text.endsWith('*')
    ? eb.and([
        eb(column, '>=', text.slice(0, -1)),
        eb(column, '<', `${text.slice(0, -1)}\u{10FFFF}`),
      ])
    : eb(column, '=', text)
}

export function toEvent(row: EventRow): AuditEvent {
  return {
    id: row.id,
    at: new Date(row.at).toISOString(),
    actor: row.actor,
    address: row.address,
    action: row.action,
    object: row.object,
    result: row.result,
    detail: JSON.parse(row.detail) as unknown,
    hash: row.hash ?? '',
  }
}
