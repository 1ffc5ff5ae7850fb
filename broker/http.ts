import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, RawReplyDefaultExpression, RawRequestDefaultExpression } from 'fastify'
import type { Server } from 'node:https'
import { ErrorBody } from './api/common.js'
import { BrokerError } from './errors.js'
import type { Caller } from './users/service.js'

/** The application as routes see it: schemas give the types. */
export type App = FastifyInstance<Server, RawRequestDefaultExpression<Server>, RawReplyDefaultExpression<Server>, FastifyBaseLogger, TypeBoxTypeProvider>

/** Who may call a route. public: anybody; device: a thin client with its key; observer: any token; admin: an administrator's. */
export type Access = 'public' | 'device' | 'observer' | 'admin'

declare module 'fastify' {
  interface FastifyContextConfig { access?: Access }
  interface FastifyRequest { caller: Caller | null }
}

/** The caller of a route that needs a token. */
export function callerOf (request: FastifyRequest): Caller {
  if (!request.caller) throw new BrokerError('unauthenticated', 'Log in first: run "berth login".')
  return request.caller
}

/** Aborted when the caller goes away before the answer. */
export function abortedWith (reply: Pick<FastifyReply, 'raw'>): AbortSignal {
  const gone = new AbortController()
  reply.raw.on('close', () => { gone.abort() })
  return gone.signal
}

/** Route options: who may call it, and its schema with the error answer every route has. */
export function route<const S extends object> (access: Access, summary: string, schema: S, success: Record<number, unknown> = {}) {
  return { config: { access }, schema: { summary, tags: [access], ...schema, response: { ...success, '4xx': ErrorBody, '5xx': ErrorBody } } as S & { response: Record<string, unknown> } }
}

export const NoContent = Type.Null({ description: 'Done' })
