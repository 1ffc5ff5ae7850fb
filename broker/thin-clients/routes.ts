import type { FastifyRequest } from 'fastify'
import { IdParams } from '../api/common.js'
import { MessageRequest, OrderOutcome, OrderState } from '../api/device-orders.js'
import {
  AskAnswer,
  AskRequest,
  AssignRequest,
  ReportAnswer,
  ReportRequest,
  ThinClient,
  ThinClientDetail,
  ThinClientList,
} from '../api/thin-clients.js'
import { abortedWith, type App, callerOf, NoContent, route } from '../http.js'
import type { Place, ThinClients } from './service.js'

/** Questions of one address a minute: a waiting device asks a few times; ten thousand behind one address, all told at once, must not be turned away. */
const QUESTIONS_A_MINUTE = 30_000

export function thinClientRoutes(thinClients: ThinClients) {
  const { devices } = thinClients
  return (app: App): void => {
    const limited = { rateLimit: { max: QUESTIONS_A_MINUTE, timeWindow: 60_000 } }
    const ask = route(
      'What should this thin client do now?',
      { body: AskRequest },
      { 200: AskAnswer },
    )
    app.post('/thin-clients/ask', { ...ask, config: limited }, async (request, reply) => {
      return await thinClients.ask(
        { request: request.body, key: deviceKey(request), address: request.ip },
        abortedWith(reply),
      )
    })
    const report = route(
      'What this thin client shows; the answer says what is to be said over it',
      { body: ReportRequest },
      { 200: ReportAnswer },
    )
    app.post('/thin-clients/report', { ...report, config: limited }, async (request, reply) => {
      return await thinClients.report(
        placeOf(request, request.body.macs),
        request.body,
        abortedWith(reply),
      )
    })
    const done = route('What became of an order', { body: OrderOutcome }, { 204: NoContent })
    app.post('/thin-clients/done', { ...done, config: limited }, async (request, reply) => {
      const { macs, order, outcome, sentence } = request.body
      await thinClients.orders.done(
        await thinClients.deviceAt(placeOf(request, macs)),
        order,
        outcome,
        sentence,
      )
      return await reply.code(204).send()
    })
    app.get(
      '/thin-clients',
      route('All thin clients that were seen', {}, { 200: ThinClientList }),
      async () => ({ thinClients: await devices.list() }),
    )
    app.get(
      '/thin-clients/:id',
      route(
        'One of them, with its last orders and what it gets',
        { params: IdParams },
        { 200: ThinClientDetail },
      ),
      async (request) => await devices.show(request.params.id),
    )
    app.put(
      '/thin-clients/:id/assignment',
      route(
        'A machine or a pool for this device, before clients.xml is asked',
        { params: IdParams, body: AssignRequest },
        { 200: ThinClient },
      ),
      async (request) => await devices.assign(request.params.id, request.body, callerOf(request)),
    )
    app.post(
      '/thin-clients/:id/accept',
      route(
        'Accept it, or accept it anew without its key',
        { params: IdParams },
        { 200: ThinClient },
      ),
      async (request) => await devices.accept(request.params.id, callerOf(request)),
    )
    app.delete(
      '/thin-clients/:id',
      route('Forget it', { params: IdParams }, { 204: NoContent }),
      async (request, reply) => {
        await devices.remove(request.params.id, callerOf(request))
        return await reply.code(204).send()
      },
    )
    app.post(
      '/thin-clients/:id/message',
      route(
        'Show a text on its screen',
        { params: IdParams, body: MessageRequest },
        { 200: OrderState },
      ),
      async (request) =>
        await devices.order(
          request.params.id,
          { kind: 'message', ...request.body },
          callerOf(request),
        ),
    )
    app.post(
      '/thin-clients/:id/reconnect',
      route('Close its viewer and let it ask anew', { params: IdParams }, { 200: OrderState }),
      async (request) =>
        await devices.order(request.params.id, { kind: 'reconnect' }, callerOf(request)),
    )
    app.post(
      '/thin-clients/:id/reboot',
      route('Restart the device', { params: IdParams }, { 200: OrderState }),
      async (request) =>
        await devices.order(request.params.id, { kind: 'reboot' }, callerOf(request)),
    )
  }
}

/** From where a device asks, with the key that it shows. */
export function placeOf(request: FastifyRequest, macs: readonly string[]): Place {
  return { macs, key: deviceKey(request), address: request.ip }
}

/** `authorization: Device KEY`: 64 hex digits. */
function deviceKey(request: FastifyRequest): string | null {
  return (
    /^Device ([0-9a-f]{64})$/i.exec(request.headers.authorization ?? '')?.[1]?.toLowerCase() ?? null
  )
}
