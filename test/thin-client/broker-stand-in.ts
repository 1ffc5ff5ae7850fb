import { mkdirSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Server, createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { AskAnswer, AskRequest, ReportAnswer, ReportRequest } from '../../broker/api/thin-clients.js'
import { Authority } from '../../broker/certificates/authority.js'

export interface Question { readonly body: AskRequest, readonly authorization: string | undefined, readonly atMs: number }
/** What a question gets: an answer, or a liberty with the response. */
export type Reaction = AskAnswer | ((response: ServerResponse, request: IncomingMessage) => void)

/** A wish of a person at the device: the path after /thin-clients/, and what was sent. */
export interface PersonsWish { readonly path: string, readonly body: Record<string, unknown> }

export interface BrokerStandIn {
  readonly port: number
  readonly fingerprint: string
  readonly questions: Question[]
  readonly reports: ReportRequest[]
  readonly wishes: PersonsWish[]
  readonly connections: () => number
  /** What is answered to a person's wish from now on; 204 before. */
  onWish: (wish: PersonsWish) => { readonly status: number, readonly body: unknown }
  /** What a report is answered with from now on; a report that waits is held until something is. */
  tell: (answer: ReportAnswer) => void
  /** The next question is answered so; the last reaction stays. */
  react: (...reactions: Reaction[]) => void
  close: () => Promise<void>
}

export interface StandInOptions { readonly names?: readonly string[], readonly port?: number, readonly pair?: { certificate: string, key: string }, readonly fingerprint?: string, readonly chain?: string }

/** An HTTPS server that says what the test wants, with certificates made as the broker makes them. `directory`: where its CA is kept. */
export async function startBroker (directory: string, options: StandInOptions = {}): Promise<BrokerStandIn> {
  mkdirSync(directory, { recursive: true })
  const authority = await Authority.open(directory)
  const pair = options.pair ?? await authority.issueServer(options.names ?? ['localhost', '127.0.0.1'])
  const queue: Reaction[] = []
  const broker = { questions: [] as Question[], reports: [] as ReportRequest[], wishes: [] as PersonsWish[] }
  let told: ReportAnswer | undefined
  const held: ServerResponse[] = []
  const standIn: { current?: BrokerStandIn } = {}
  let connections = 0
  const server = createServer({ cert: `${pair.certificate}\n${options.chain ?? authority.certificate}`, key: pair.key }, (request, response) => {
    readJson(request).then(body => {
      if (request.url === '/api/v1/thin-clients/report') {
        broker.reports.push(body as ReportRequest)
        const { waitMs, have } = body as ReportRequest
        const news = told !== undefined && (told.over !== null || told.notice?.id !== have)
        if (waitMs === undefined) response.writeHead(204).end()
        else if (told !== undefined && news) sendJson(response, 200, told)
        else held.push(response)
        return
      }
      const wished = /^\/api\/v1\/thin-clients\/(?!ask)(.*)$/.exec(request.url ?? '')?.[1]
      if (wished !== undefined) {
        const wish = { path: wished, body: body as Record<string, unknown> }
        broker.wishes.push(wish)
        const { status, body: answer } = standIn.current?.onWish(wish) ?? { status: 204, body: null }
        if (status === 204) response.writeHead(204).end()
        else sendJson(response, status, answer)
        return
      }
      broker.questions.push({ body: body as AskRequest, authorization: request.headers.authorization, atMs: performance.now() })
      const reaction = (queue.length > 1 ? queue.shift() : queue[0]) ?? (() => undefined)
      if (typeof reaction === 'function') reaction(response, request)
      else sendJson(response, 200, reaction)
    }, () => response.destroy())
  })
  server.on('secureConnection', () => { connections++ })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>(resolve => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const result: BrokerStandIn = {
    ...broker,
    onWish: () => ({ status: 204, body: null }),
    tell: answer => {
      told = answer
      for (const response of held.splice(0)) sendJson(response, 200, answer)
    },
    port: (server.address() as AddressInfo).port,
    fingerprint: options.fingerprint ?? authority.fingerprint,
    connections: () => connections,
    react: (...reactions) => { queue.splice(0, queue.length, ...reactions) },
    close: () => closeServer(server),
  }
  standIn.current = result
  return result
}

export function sendJson (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

async function readJson (request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

async function closeServer (server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
}
