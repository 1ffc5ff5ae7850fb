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

/** The newest events first. */
export async function listEvents(queries: Queries, query: AuditEventQuery): Promise<AuditEvent[]> {
  const rows = await filtered(queries, query)
    .orderBy('id', 'desc')
    .limit(query.limit ?? 100)
    .$if(query.before !== undefined, (q) => q.where('id', '<', query.before ?? 0))
    .execute()
  return rows.map(toEvent)
}

/** Those after `id`, the oldest first; at most `limit`. */
export async function eventsAfter(
  queries: Queries,
  id: number,
  limit: number,
  filter: AuditEventFilter = {},
): Promise<EventRow[]> {
  return await filtered(queries, filter).where('id', '>', id).orderBy('id').limit(limit).execute()
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

/** A percent sign or underscore of the text itself stands for any one character: wide enough for a filter, and without an ESCAPE clause. */
function wholeOrBeginning(
  eb: ExpressionBuilder<Tables, 'event'>,
  column: 'actor' | 'object' | 'action',
  text: string,
) {
  return text.endsWith('*')
    ? eb(column, 'like', `${text.slice(0, -1).replace(/[%_]/g, '_')}%`)
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
