import { mkdirSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Server, createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type {
  AskAnswer,
  AskRequest,
  ReportAnswer,
  ReportRequest,
} from '../../broker/api/thin-clients.js'
import { Authority } from '../../broker/certificates/authority.js'

export interface Question {
  readonly body: AskRequest
  readonly authorization: string | undefined
  readonly atMs: number
}
/** What a question gets: an answer, or a liberty with the response. */
export type Reaction = AskAnswer | ((response: ServerResponse, request: IncomingMessage) => void)

/** A wish of a person at the device: the path after /thin-clients/, and what was sent. */
export interface PersonsWish {
  readonly path: string
  readonly body: Record<string, unknown>
}

export interface BrokerStandIn {
  readonly port: number
  readonly fingerprint: string
  readonly questions: Question[]
  readonly reports: ReportRequest[]
  readonly wishes: PersonsWish[]
  readonly connections: () => number
  /** What is answered to a person's wish from now on; 204 before. */
  answerWishes: (
    onWish: (wish: PersonsWish) => { readonly status: number; readonly body: unknown },
  ) => void
  /** What a report is answered with from now on; a report that waits is held until something is. */
  tell: (answer: ReportAnswer) => void
  /** The next question is answered so; the last reaction stays. */
  react: (...reactions: Reaction[]) => void
  close: () => Promise<void>
}

export interface StandInOptions {
  readonly names?: readonly string[]
  readonly port?: number
  readonly pair?: { certificate: string; key: string }
  readonly fingerprint?: string
  readonly chain?: string
}

/** What the stand-in has heard, and what it says. */
class Conversation {
  readonly queue: Reaction[] = []
  readonly questions: Question[] = []
  readonly reports: ReportRequest[] = []
  readonly wishes: PersonsWish[] = []
  onWish: Parameters<BrokerStandIn['answerWishes']>[0] = () => ({ status: 204, body: null })
  #told: ReportAnswer | undefined
  readonly #held: ServerResponse[] = []

  tell(answer: ReportAnswer): void {
    this.#told = answer
    for (const response of this.#held.splice(0)) sendJson(response, 200, answer)
  }

  hear(request: IncomingMessage, response: ServerResponse, body: unknown): void {
    const path = request.url?.replace('/api/v1/thin-clients/', '') ?? ''
    if (path === 'report') this.#report(body as ReportRequest, response)
    else if (path === 'ask') this.#ask(body as AskRequest, request, response)
    else this.#wish({ path, body: body as Record<string, unknown> }, response)
  }

  #report(report: ReportRequest, response: ServerResponse): void {
    this.reports.push(report)
    const news =
      this.#told !== undefined &&
      (this.#told.over !== null ||
        this.#told.notice?.id !== report.have ||
        this.#told.order !== undefined)
    if (report.waitMs === undefined) response.writeHead(204).end()
    else if (this.#told !== undefined && news) sendJson(response, 200, this.#told)
    else this.#held.push(response)
  }

  #ask(body: AskRequest, request: IncomingMessage, response: ServerResponse): void {
    this.questions.push({
      body,
      authorization: request.headers.authorization,
      atMs: performance.now(),
    })
    const reaction =
      (this.queue.length > 1 ? this.queue.shift() : this.queue[0]) ?? (() => undefined)
    if (typeof reaction === 'function') reaction(response, request)
    else sendJson(response, 200, reaction)
  }

  #wish(wish: PersonsWish, response: ServerResponse): void {
    this.wishes.push(wish)
    const { status, body } = this.onWish(wish)
    if (status === 204) response.writeHead(204).end()
    else sendJson(response, status, body)
  }
}

/**
 * An HTTPS server that says what the test wants, with certificates made as the broker makes them.
 * `directory`: where its CA is kept.
 */
export async function startBroker(
  directory: string,
  options: StandInOptions = {},
): Promise<BrokerStandIn> {
  mkdirSync(directory, { recursive: true })
  const authority = await Authority.open(directory)
  const pair =
    options.pair ?? (await authority.issueServer(options.names ?? ['localhost', '127.0.0.1']))
  const conversation = new Conversation()
  let connections = 0
  const server = createServer(
    { cert: `${pair.certificate}\n${options.chain ?? authority.certificate}`, key: pair.key },
    (request, response) => {
      readJson(request).then(
        (body) => {
          conversation.hear(request, response, body)
        },
        () => response.destroy(),
      )
    },
  )
  server.on('secureConnection', () => {
    connections++
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { questions, reports, wishes } = conversation
  return {
    questions,
    reports,
    wishes,
    port: (server.address() as AddressInfo).port,
    fingerprint: options.fingerprint ?? authority.fingerprint,
    connections: () => connections,
    react: (...reactions) => {
      conversation.queue.splice(0, conversation.queue.length, ...reactions)
    },
    answerWishes: (onWish) => {
      conversation.onWish = onWish
    },
    tell: (answer) => {
      conversation.tell(answer)
    },
    close: () => closeServer(server),
  }
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(JSON.stringify(body))
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
