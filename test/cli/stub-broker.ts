import type { TSchema } from '@sinclair/typebox'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { Socket } from 'node:net'
import { ErrorBody } from '../../broker/api/common.js'
import { Job } from '../../broker/api/jobs.js'
import { type ErrorCode, ERRORS } from '../../broker/errors/codes.js'
import type { ServerCertificate } from './certificates.js'
import { conforming } from './samples.js'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly token: string | undefined
  readonly body: unknown
}
type Respond = (asked: Asked, response: ServerResponse) => void
export interface StubBroker {
  readonly address: string
  readonly asked: Asked[]
  /** Bytes of requests that came through TLS, from anybody. */
  received: () => number
  on: (route: string, respond: Respond) => void
  cutAll: () => void
  close: () => Promise<void>
}

/** A broker that answers what it is told to, over real TLS. Unknown routes answer route_unknown. */
export async function startStubBroker(certificate: ServerCertificate): Promise<StubBroker> {
  const routes = new Map<string, Respond>()
  const asked: Asked[] = []
  const sockets = new Set<Socket>()
  let received = 0
  const server = createServer(
    { cert: certificate.chain, key: certificate.key },
    (request, response) => {
      void readRequest(request).then((question) => {
        asked.push(question)
        const respond =
          routes.get(`${question.method} ${question.path}`) ??
          refuse('route_unknown', `There is no ${question.method} ${question.path}.`)
        respond(question, response)
      })
    },
  )
  server.on('secureConnection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    socket.once('close', () => sockets.delete(socket))
    /* Clients that do not trust this certificate hang up. */
    socket.on('error', () => {
      socket.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    address: `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    asked,
    received: () => received,
    cutAll,
    on: (route, respond) => {
      routes.set(route, respond)
    },
    close: async () => {
      cutAll()
      server.close()
      await once(server, 'close')
    },
  }
}

async function readRequest(request: IncomingMessage): Promise<Asked> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  const text = Buffer.concat(chunks).toString()
  const body: unknown = text === '' ? undefined : JSON.parse(text)
  return {
    method: request.method ?? '',
    path: (request.url ?? '').replace(/^\/api\/v1/, ''),
    token: request.headers.authorization,
    body,
  }
}

/** Answers with `value`, which must be what `schema` says; the question's body must be what `request` says. */
export function answer(
  schema: TSchema,
  value: unknown,
  options: { readonly status?: number; readonly request?: TSchema } = {},
): Respond {
  conforming(schema, value)
  return (asked, response) => {
    try {
      if (options.request !== undefined) conforming(options.request, asked.body)
    } catch (error) {
      refuse('invalid_request', String(error))(asked, response)
      return
    }
    json(response, options.status ?? 200, value)
  }
}

export function refuse(code: ErrorCode, message: string, details?: readonly unknown[]): Respond {
  const body = conforming(ErrorBody, {
    code,
    reason: 'request_malformed',
    parameters: { said: message },
    message,
    requestId: 'req-1',
    ...(details === undefined ? {} : { details: [...details] }),
  })
  return (_asked, response) => {
    json(response, ERRORS[code].status, body)
  }
}

/** Streams the jobs as server-sent events and ends; with `hold`, stays open after the last one. */
export function stream(
  jobs: readonly Job[],
  options: { readonly hold?: boolean; readonly then?: () => void } = {},
): Respond {
  for (const one of jobs) conforming(Job, one)
  return (_asked, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(': keep-alive\n\n')
    for (const one of jobs) response.write(`event: job\ndata: ${JSON.stringify(one)}\n\n`)
    if (options.hold !== true) response.end()
    options.then?.()
  }
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(value === undefined ? '' : JSON.stringify(value))
}
