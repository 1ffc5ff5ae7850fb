import { Readable } from 'node:stream'
import {
  AuditEventFilter,
  AuditEventList,
  AuditEventQuery,
  AuditVerified,
  AuditVerify,
} from '../api/users.js'
import { verifyChain } from '../audit/chain.js'
import { eventsAfter, listEvents, toEvent } from '../audit/events.js'
import { type App, route } from '../http.js'
import type { Store } from '../store/open.js'

const ROWS_AT_A_TIME = 500

export function auditRoutes(store: Store) {
  return (app: App): void => {
    app.get(
      '/events',
      route(
        'The audit log, newest first',
        { querystring: AuditEventQuery },
        { 200: AuditEventList },
      ),
      async (request) => ({ events: await listEvents(store, request.query) }),
    )
    app.get(
      '/events/export',
      route('The audit log as JSON lines, oldest first', { querystring: AuditEventFilter }),
      async (request, reply) => {
        return await reply
          .type('application/jsonl')
          .send(Readable.from(lines(store, request.query)))
      },
    )
    app.post(
      '/events/verify',
      route(
        'Compute the chain of hashes again and compare',
        { body: AuditVerify },
        { 200: AuditVerified },
      ),
      async (request) => await verifyChain(store, request.body.head),
    )
  }
}

async function* lines(store: Store, filter: AuditEventFilter): AsyncGenerator<string> {
  let id = -1
  for (;;) {
    const rows = await eventsAfter(store, id, ROWS_AT_A_TIME, filter)
    if (rows.length > 0) yield rows.map((row) => `${JSON.stringify(toEvent(row))}\n`).join('')
    if (rows.length < ROWS_AT_A_TIME) return
    id = rows.at(-1)?.id ?? id
  }
}
