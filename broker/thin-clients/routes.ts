import type { FastifyRequest } from 'fastify'
import { IdParams, nullable } from '../api/common.js'
import { MessageRequest, OrderOutcome, OrderState } from '../api/device-orders.js'
import {
  AcceptRequest,
  AskAnswer,
  AskRequest,
  AssignRequest,
  Forgotten,
  RenameRequest,
  ReportAnswer,
  ReportRequest,
  ThinClient,
  ThinClientDetail,
  ThinClientList,
} from '../api/thin-clients.js'
import { type App, callerOf, NoContent, replyBy, route } from '../http.js'
import type { Devices } from './devices.js'
import type { Place } from './evaluation.js'
import type { ThinClients } from './service.js'

/**
 * Questions of one address a minute: a waiting device asks a few times; ten thousand behind one
 * address, all told at once, must not be turned away.
 */
const QUESTIONS_A_MINUTE = 30_000

export function thinClientRoutes(thinClients: ThinClients) {
  const { devices } = thinClients
  return (app: App): void => {
    questionRoutes(app, thinClients)
    deviceRoutes(app, devices)
    forgetRoutes(app, devices)
    orderRoutes(app, devices)
  }
}

/** What devices ask and say themselves. */
function questionRoutes(app: App, thinClients: ThinClients): void {
  const limited = { rateLimit: { max: QUESTIONS_A_MINUTE, timeWindow: 60_000 } }
  const ask = route(
    'What should this thin client do now?',
    { body: AskRequest },
    { 200: AskAnswer },
  )
  app.post('/thin-clients/ask', { ...ask, config: limited }, (request, reply) => {
    const question = { ...placeOf(request, request.body.macs), request: request.body }
    reply.raw.once('close', thinClients.ask(question, replyBy(reply)))
  })
  const report = route(
    'What this thin client shows; the answer has the notice to be shown over it',
    { body: ReportRequest },
    { 200: ReportAnswer },
  )
  app.post('/thin-clients/report', { ...report, config: limited }, (request, reply) => {
    const answer = replyBy<ReportAnswer>(reply)
    thinClients.report(placeOf(request, request.body.macs), request.body, answer).then(
      (leave) => {
        if (reply.raw.destroyed) leave()
        else reply.raw.once('close', leave)
      },
      (error: unknown) => {
        answer.fail(error)
      },
    )
  })
  const done = route('The result of an order', { body: OrderOutcome }, { 204: NoContent })
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
}

function deviceRoutes(app: App, devices: Devices): void {
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
      'A machine or a pool for this device; it takes precedence over clients.xml',
      { params: IdParams, body: AssignRequest },
      { 200: ThinClient },
    ),
    async (request) => await devices.assign(request.params.id, request.body, callerOf(request)),
  )
  app.post(
    '/thin-clients/:id/accept',
    route(
      'Accept it, or let the device that asks in its place have its key',
      { params: IdParams, body: nullable(AcceptRequest) },
      { 200: ThinClient },
    ),
    async (request) =>
      await devices.accept(request.params.id, request.body ?? {}, callerOf(request)),
  )
  app.patch(
    '/thin-clients/:id',
    route('Rename it', { params: IdParams, body: RenameRequest }, { 200: ThinClient }),
    async (request) =>
      await devices.rename(request.params.id, request.body.name, callerOf(request)),
  )
}

function forgetRoutes(app: App, devices: Devices): void {
  app.post(
    '/thin-clients/forget-unaccepted',
    route('Forget all that nobody has accepted', {}, { 200: Forgotten }),
    async (request) => ({ forgotten: await devices.forgetUnaccepted(callerOf(request)) }),
  )
  app.delete(
    '/thin-clients/:id',
    route('Forget it', { params: IdParams }, { 204: NoContent }),
    async (request, reply) => {
      await devices.remove(request.params.id, callerOf(request))
      return await reply.code(204).send()
    },
  )
}

function orderRoutes(app: App, devices: Devices): void {
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
    route('Close its viewer and let it ask again', { params: IdParams }, { 200: OrderState }),
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

/** From where a device asks, with the key that it shows. */
export function placeOf(request: FastifyRequest, macs: readonly string[]): Place {
  return { macs, key: deviceKey(request), claim: claimOf(request), address: request.ip }
}

/**
 * `device-claim`: 64 hex digits that a device without a key has made itself, so that others who say
 * its MAC are told from it.
 */
function claimOf({ headers }: FastifyRequest): string | null {
  const claim = headers['device-claim']
  return typeof claim === 'string' && /^[0-9a-f]{64}$/i.test(claim) ? claim.toLowerCase() : null
}

/** `authorization: Device KEY`: 64 hex digits. */
function deviceKey(request: FastifyRequest): string | null {
  return (
    /^Device ([0-9a-f]{64})$/i.exec(request.headers.authorization ?? '')?.[1]?.toLowerCase() ?? null
  )
}
