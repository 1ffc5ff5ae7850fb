import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
} from 'fastify'
import type { Server } from 'node:https'
import { ErrorBody } from './api/common.js'
import type { Access } from './access.js'
import type { Verb } from './api/permissions.js'
import { refusal } from './errors/broker-error.js'
import type { Caller } from './users/caller.js'

/** The application as routes see it: schemas give the types. */
export type App = FastifyInstance<
  Server,
  RawRequestDefaultExpression<Server>,
  RawReplyDefaultExpression<Server>,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
  }
  /**
   * verbs: what the caller may do with the pool or machine that the path names, where the table of
   * access asks for it.
   */
  interface FastifyRequest {
    caller: Caller | null
    verbs: ReadonlySet<Verb> | null
  }
}

/** The caller of a route that needs a token. */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw refusal('login_needed')
  return request.caller
}

/** Whether it came through a trusted reverse proxy, and not to the broker itself. */
export function throughProxy({ ips = [] }: Pick<FastifyRequest, 'ips'>): boolean {
  return ips.length > 1
}

/** The name by which the broker itself was reached; null behind a reverse proxy, whose name it is then. */
export function directHost(request: FastifyRequest): string | null {
  return throughProxy(request) ? null : request.host
}

/** Aborted when the caller goes away before the answer. */
export function abortedWith(reply: Pick<FastifyReply, 'raw'>): AbortSignal {
  const gone = new AbortController()
  reply.raw.on('close', () => {
    gone.abort()
  })
  return gone.signal
}

/** Who waits for an answer. */
export interface Reply<T> {
  answer(answer: T): void
  fail(error: unknown): void
}

/** For a handler that answers later, when something happens: until then nothing is kept of it but this. */
export function replyBy<T>(reply: Pick<FastifyReply, 'send'>): Reply<T> {
  return {
    answer: (answer) => {
      void reply.send(answer)
    },
    fail: (error) => {
      void reply.send(error)
    },
  }
}

/** Route options: the schema, with the error answer every route has. Who may call it stands in access.ts. */
export function route<const S extends object>(
  summary: string,
  schema: S,
  success: Record<number, unknown> = {},
) {
  return {
    schema: {
      summary,
      ...schema,
      response: { ...success, '4xx': ErrorBody, '5xx': ErrorBody },
    } as S & { response: Record<string, unknown> },
  }
}

export const NoContent = Type.Null({ description: 'Done' })
