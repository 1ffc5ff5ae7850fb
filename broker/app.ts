import cookie from '@fastify/cookie'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import Fastify, {
  LogController,
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import type { Logger } from 'pino'
import { subnetOf } from './addresses.js'
import { type AccessDeps, enforceAccess } from './access-check.js'
import { headAnswers } from './answer-headers.js'
import type { ErrorBody } from './api/common.js'
import { BODY_BYTES, boundBodies } from './bodies.js'
import { boundConnections, type ConnectionBounds } from './connections.js'
import { BrokerError, refusal } from './errors/broker-error.js'
import { ERRORS } from './errors/codes.js'
import { parametersOnWire } from './errors/sentence.js'
import { KeptText } from './kept-text.js'
import { storeFault } from './store/faults.js'
import type { ReverseProxies } from './forwarded.js'
import type { App } from './http.js'
import type { Changes } from './live/changes.js'
import { shareAnswers } from './live/shared-answers.js'
import { SESSION_COOKIE } from './users/browser.js'
import type { Permissions } from './users/permissions.js'
import { secureAnswers } from './security-headers.js'
import { explainFaults, fieldRefusal } from './validation.js'
import { refuseNul } from './nul.js'
import { boundRequests } from './open-requests.js'
import { serveWebPages } from './web-pages.js'

export interface AppDeps {
  readonly log: Logger
  readonly tls: { readonly key: string; readonly cert: string }
  readonly authenticate: AccessDeps['authenticate']
  readonly permissions: Permissions
  readonly version: string
  readonly changes: Changes
  readonly connections: ConnectionBounds
  readonly proxies: ReverseProxies
  /** Other than 30 s; for tests. */
  readonly requestWithinMs?: number
  /** Each adds the routes of one room under /api/v1. */
  readonly routes: ReadonlyArray<(app: App) => void>
  /** Those outside of the API: health, metrics, the installer. */
  readonly rootRoutes: ReadonlyArray<(app: App) => void>
}

/**
 * For a request to come in whole; how long its answer takes, such as that to a device that waits,
 * is not counted (https://nodejs.org/api/http.html#serverrequesttimeout).
 */
const REQUEST_WITHIN_MS = 30_000
const HANDSHAKE_WITHIN_MS = 20_000
const LOOK_FOR_SLOW_ONES_EVERY_MS = 5_000
/** Of TLS 1.2 only what has forward secrecy and authenticates what it encrypts. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  ...['ECDHE-ECDSA', 'ECDHE-RSA'].flatMap((kind) =>
    ['AES256-GCM-SHA384', 'CHACHA20-POLY1305', 'AES128-GCM-SHA256'].map((end) => `${kind}-${end}`),
  ),
].join(':')
/** The description of the API is large; programs that are made from it ask once. */
const OPENAPI_RATE = { rateLimit: { max: 60, timeWindow: 60_000 } }
/** Longer names reach the schema, whose refusal names the field. */
const LONGEST_PARAMETER = 2_000
const FASTIFY_REASONS = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'body_not_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'request_malformed',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'request_malformed',
} as const

/** Builds the HTTP side; what it may do comes in `deps`. Nothing listens yet. */
export async function buildApp(deps: AppDeps): Promise<App> {
  const app = serverFor(deps)
  explainFaults()
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  app.decorateRequest('caller', null)
  app.decorateRequest('verbs', null)
  const closeConnections = boundConnections(app.server, deps.connections)
  app.addHook('preClose', async () => {
    closeConnections()
  })
  takeForwarded(app, deps.proxies)
  boundRequests(app, deps.connections)
  boundBodies(app)
  secureAnswers(app)
  await app.register(cookie) // before the check of access, which reads them
  enforceAccess(app, deps)
  refuseNul(app)
  shareAnswers(app, deps.changes)
  headAnswers(app)
  app.removeContentTypeParser('text/plain') // JSON only: a browser sends plain text across sites without asking
  app.setErrorHandler<FastifyError | BrokerError>(answerError)
  await servePages(app)
  await limitRates(app)
  await describeApi(app, deps.version)
  logAnswers(app)
  await serveRoutes(app, deps)
  return app
}

function serverFor(deps: AppDeps): App {
  return Fastify({
    loggerInstance: deps.log,
    https: {
      ...deps.tls,
      minVersion: 'TLSv1.2',
      ciphers: CIPHERS,
      handshakeTimeout: HANDSHAKE_WITHIN_MS,
      headersTimeout: deps.requestWithinMs ?? REQUEST_WITHIN_MS,
      connectionsCheckingInterval: Math.min(
        LOOK_FOR_SLOW_ONES_EVERY_MS,
        deps.requestWithinMs ?? REQUEST_WITHIN_MS,
      ),
    },
    bodyLimit: BODY_BYTES,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    trustProxy: (address) => deps.proxies.trusts(address),
    requestTimeout: deps.requestWithinMs ?? REQUEST_WITHIN_MS,
    keepAliveTimeout: 75_000,
    genReqId: () => crypto.randomUUID().slice(0, 8),
    routerOptions: { maxParamLength: LONGEST_PARAMETER, ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => {
      answerError(error, request, reply)
    },
  }) as unknown as App
}

/** What no route answers is a page, or is not there. */
async function servePages(app: App): Promise<void> {
  const pageFor = await serveWebPages(app)
  app.setNotFoundHandler(
    (request, reply) =>
      pageFor(request, reply) ??
      reply.code(404).send(
        bodyOf(
          refusal('address_not_there', {
            method: request.method,
            address: request.url.slice(0, 100),
          }),
          request,
        ),
      ),
  )
}

async function limitRates(app: App): Promise<void> {
  await app.register(rateLimit, {
    global: false,
    keyGenerator: (request) => subnetOf(request.ip),
    errorResponseBuilder: (_request, context) =>
      refusal('too_many_attempts', { seconds: Math.ceil(context.ttl / 1000) }),
  })
}

async function describeApi(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Berth', version, description: errorTable() },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          session: { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE },
        },
      },
      security: [{ bearer: [] }, { session: [] }],
    },
  })
}

function logAnswers(app: App): void {
  app.addHook('onResponse', async (request, reply) => {
    request.log.debug(
      {
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        by: request.caller?.actor,
        address: request.ip,
      },
      'request answered',
    )
  })
}

async function serveRoutes(app: App, { rootRoutes, routes }: AppDeps): Promise<void> {
  for (const add of rootRoutes) add(app)
  await app.register(
    async (api) => {
      for (const add of routes) add(api as unknown as App)
      const openapi = new KeptText('application/json; charset=utf-8', () =>
        JSON.stringify(app.swagger()),
      )
      api.addHook('onListen', () => {
        openapi.prepare()
      })
      api.get(
        '/openapi.json',
        { schema: { hide: true }, config: OPENAPI_RATE },
        async (request, reply) => await openapi.send(request, reply),
      )
    },
    { prefix: '/api/v1' },
  )
}

/** The first that reads a request: who sent it, to which name, by which protocol. */
function takeForwarded(app: App, proxies: ReverseProxies): void {
  app.addHook('onRequest', async (request) => {
    proxies.settle(request.raw.headers, request.raw.socket.remoteAddress)
    if (request.raw.headers['x-forwarded-proto'] === 'http') throw refusal('proxy_without_tls')
  })
}

function answerError(
  thrown: FastifyError | BrokerError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const error = storeFault(thrown) ?? thrown
  const shown = shownError(error)
  if (shown.code === 'internal')
    request.log.error({ err: error, route: request.routeOptions.url }, 'request failed')
  else if (shown.statusCode >= 500)
    request.log.warn(
      { err: error, route: request.routeOptions.url },
      'request was answered with a fault of something else',
    )
  void reply.code(shown.statusCode).send(bodyOf(shown, request))
}

/** What of an error leaves the broker: of its own faults nothing. */
function shownError(error: FastifyError | BrokerError): BrokerError {
  if (error instanceof BrokerError)
    return error.code === 'internal' ? refusal('internal_fault') : error
  const said = error.message.replace(/\.$/, '')
  if (isKnown(error.code)) return refusal(FASTIFY_REASONS[error.code], { said })
  if ((error.statusCode ?? 500) >= 500) return refusal('internal_fault')
  const [first] = error.validation ?? []
  return first
    ? fieldRefusal(fieldOf(first, error.validationContext), first.message ?? 'is not accepted')
    : refusal('request_malformed', { said })
}

function bodyOf(
  { code, reason, parameters, message, details }: BrokerError,
  request: FastifyRequest,
): ErrorBody {
  return {
    code,
    reason,
    parameters: parametersOnWire(parameters),
    message,
    requestId: request.id,
    ...(details === undefined ? {} : { details: [...details] }),
  }
}

function isKnown(code: string): code is keyof typeof FASTIFY_REASONS {
  return Object.hasOwn(FASTIFY_REASONS, code)
}

function fieldOf(
  { instancePath, params }: { instancePath: string; params?: unknown },
  where = 'body',
): string {
  const { additionalProperties: extra } = (params ?? {}) as { additionalProperties?: unknown }
  const field = `${where}${instancePath.replaceAll('/', '.')}`
  return extra === undefined ? field : `${field} ${String(extra)}`
}

function errorTable(): string {
  return [
    'Error codes:',
    ...Object.entries(ERRORS).map(
      ([code, { status, meaning }]) => `- ${code} (${status}): ${meaning}`,
    ),
  ].join('\n')
}
