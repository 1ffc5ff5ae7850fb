import type { AuditEventQuery } from '../api/users.js'
import type { Static } from '@sinclair/typebox'
import type { Queries } from '../store/open.js'

/** Who asks: `actor` is an account, a thin client (`thin-client:MAC`) or `berth` itself; `address` is empty for the broker's own doings. */
export interface Actor { readonly actor: string, readonly address: string }

export const BERTH: Actor = { actor: 'berth', address: '' }

/** Writes one row of the audit log; call it in the transaction that records the wish. `object` is like `machine:pc-01`. `detail` must hold no secret. */
export async function recordEvent (queries: Queries, by: Actor, action: string, object: string, detail: unknown = {}, result = 'ok'): Promise<void> {
  await queries.insertInto('event').values({ at: Date.now(), actor: by.actor, address: by.address, action, object, result, detail: JSON.stringify(detail) }).execute()
}

/** The newest events first. */
export async function listEvents (queries: Queries, query: Static<typeof AuditEventQuery>) {
  const rows = await queries.selectFrom('event').selectAll().orderBy('id', 'desc').limit(query.limit ?? 100)
    .$if(query.before !== undefined, (q) => q.where('id', '<', query.before ?? 0)).execute()
  return rows.map((row) => ({ ...row, at: new Date(row.at).toISOString(), detail: JSON.parse(row.detail) as unknown }))
}
