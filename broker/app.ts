import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import Fastify, {
  LogController,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import type { Logger } from 'pino'
import { type AccessDeps, enforceAccess } from './access-check.js'
import { BrokerError, ERRORS } from './errors.js'
import type { App } from './http.js'
import type { Changes } from './live/changes.js'
import { shareAnswers } from './live/shared-answers.js'
import { SESSION_COOKIE } from './users/browser.js'
import type { Permissions } from './users/permissions.js'
import { explainFaults } from './validation.js'
import { serveWebPages } from './web-pages.js'

export interface AppDeps {
  readonly log: Logger
  readonly tls: { readonly key: string; readonly cert: string }
  readonly authenticate: AccessDeps['authenticate']
  readonly permissions: Permissions
  readonly version: string
  readonly changes: Changes
  /** Each adds the routes of one room under /api/v1. */
  readonly routes: ReadonlyArray<(app: App) => void>
  /** Those outside of the API: health, metrics, the installer. */
  readonly rootRoutes: ReadonlyArray<(app: App) => void>
}

/** clients.xml is the largest thing anybody sends. */
const LARGEST_BODY_BYTES = 2 * 1024 * 1024
/** Longer names reach the schema, whose refusal names the field. */
const LONGEST_PARAMETER = 2_000
const FASTIFY_CODES: Readonly<Record<string, keyof typeof ERRORS>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'media_type_unknown',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_request',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
}

/** Builds the HTTP side; what it may do comes in `deps`. Nothing listens yet. */
export async function buildApp(deps: AppDeps): Promise<App> {
  const app = Fastify({
    loggerInstance: deps.log,
    https: { ...deps.tls, minVersion: 'TLSv1.2' },
    bodyLimit: LARGEST_BODY_BYTES,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    requestTimeout: 0,
    keepAliveTimeout: 75_000,
    genReqId: () => crypto.randomUUID().slice(0, 8),
    routerOptions: { maxParamLength: LONGEST_PARAMETER, ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => {
      answerError(error, request as FastifyRequest, reply as FastifyReply)
    },
  }) as unknown as App
  explainFaults()
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  app.decorateRequest('caller', null)
  app.decorateRequest('verbs', null)
  await app.register(cookie) // before the check of access, which reads them
  enforceAccess(app as unknown as FastifyInstance, deps)
  shareAnswers(app as unknown as FastifyInstance, deps.changes)
  app.removeContentTypeParser('text/plain') // JSON only: a browser sends plain text across sites without asking
  app.setErrorHandler<FastifyError | BrokerError>(answerError)
  await app.register(helmet, {
    global: true,
    contentSecurityPolicy: { directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  })
  const pageFor = await serveWebPages(app)
  app.setNotFoundHandler(
    (request, reply) =>
      pageFor(request, reply) ??
      reply
        .code(404)
        .send({
          code: 'route_unknown',
          message: `There is nothing at ${request.method} ${request.url.slice(0, 100)}; /api/v1/openapi.json lists what there is.`,
          requestId: request.id,
        }),
  )
  await app.register(rateLimit, {
    global: false,
    errorResponseBuilder: (_request, context) =>
      new BrokerError('too_many_requests', `Too many attempts: try again in ${context.after}.`),
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Berth', version: deps.version, description: errorTable() },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          session: { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE },
        },
      },
      security: [{ bearer: [] }, { session: [] }],
    },
  })
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
  for (const add of deps.rootRoutes) add(app)
  await app.register(
    async (api) => {
      for (const add of deps.routes) add(api as unknown as App)
      api.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
    },
    { prefix: '/api/v1' },
  )
  return app
}

function answerError(
  error: FastifyError | BrokerError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const known = error instanceof BrokerError
  const status = known ? error.statusCode : (error.statusCode ?? 500)
  const code = known
    ? error.code
    : (FASTIFY_CODES[error.code] ?? (status < 500 ? 'invalid_request' : 'internal'))
  if (code === 'internal')
    request.log.error({ err: error, route: request.routeOptions.url }, 'request failed')
  else if (status >= 500)
    request.log.warn(
      { err: error, route: request.routeOptions.url },
      'request was answered with a refusal of the hypervisor',
    )
  const message =
    code === 'internal'
      ? 'The broker has a fault; its log has the details under this request id.'
      : known
        ? error.message
        : sentence(error)
  const details = known ? error.details : undefined
  void reply
    .code(known ? status : ERRORS[code].status)
    .send({ code, message, requestId: request.id, ...(details === undefined ? {} : { details }) })
}

/** Validation faults name the field. */
function sentence(error: FastifyError): string {
  const first = error.validation?.[0]
  if (!first) return `${error.message.replace(/\.$/, '')}.`
  const extra = (first.params as { additionalProperties?: string | string[] } | undefined)
    ?.additionalProperties
  const field = `${error.validationContext ?? 'body'}${first.instancePath.replaceAll('/', '.')}`
  return `${field}${extra === undefined ? '' : ` ${String(extra)}`}: ${(first.message ?? 'is not accepted').replace(/\.$/, '')}.`
}

function errorTable(): string {
  return [
    'Error codes:',
    ...Object.entries(ERRORS).map(
      ([code, { status, meaning }]) => `- ${code} (${status}): ${meaning}`,
    ),
  ].join('\n')
}
