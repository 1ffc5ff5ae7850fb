import { type IncomingMessage, request } from 'node:http'
import type {
  AskAnswer,
  AskRequest,
  ReportAnswer,
  ReportRequest,
} from '../broker/api/thin-clients.js'
import { BadAnswer, checkAnswer } from './answer.js'
import { type BrokerAddress, formatBrokerAddress } from './broker-address.js'
import { PinnedAgent, type PinKeeper } from './pinned-connection.js'
import { checkReportAnswer } from './reply.js'

/** A question that brought no answer. The message is one sentence for the screen. */
export class BrokerTrouble extends Error {
  override readonly name = 'BrokerTrouble'

  /** What the broker itself said, when it answered and refused. */
  readonly refusal: string | null

  constructor(
    message: string,
    readonly retryAfterMs: number | null,
    options: ErrorOptions & { readonly refusal?: string } = {},
  ) {
    super(message, options)
    this.refusal = options.refusal ?? null
  }
}

/** How the device shows which one it is: by its key or, while it has none, by a secret that it has made itself. */
export interface Shown {
  readonly deviceKey?: string
  readonly claim?: string
}

const MAX_BODY_BYTES = 256 * 1024
/** What the network and a busy broker may add to the time that the broker was allowed to wait. */
export const ANSWER_MARGIN_MS = 15_000
const MAX_RETRY_AFTER_MS = 600_000

export interface BrokerClient {
  /** Throws BrokerTrouble. */
  ask: (question: AskRequest, shown: Shown) => Promise<AskAnswer>
  /** Throws BrokerTrouble. */
  report: (report: ReportRequest, shown: Shown) => Promise<ReportAnswer>
  /** Sends something else to `/thin-clients/PATH` and gives the answer, checked by `check`. Throws BrokerTrouble. */
  send: <T>(path: string, body: object, shown: Shown, check: (answer: unknown) => T) => Promise<T>
  close: () => void
}

const NOTHING_NEW: ReportAnswer = { notice: null, over: null }

interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

export function brokerClient(
  broker: BrokerAddress,
  pins: PinKeeper,
  answerMarginMs = ANSWER_MARGIN_MS,
): BrokerClient {
  const line = new BrokerLine(broker, pins)
  const { name } = line
  return {
    ask: async (question, shown) => {
      const limitMs = (question.waitMs ?? 0) + answerMarginMs
      const reply = await line.exchange('/api/v1/thin-clients/ask', question, shown, limitMs)
      if (reply.status !== 200) throw refusal(name, reply)
      return line.understood(reply, checkAnswer)
    },
    report: async (report, shown) => {
      const limitMs = (report.waitMs ?? 0) + answerMarginMs
      const reply = await line.exchange('/api/v1/thin-clients/report', report, shown, limitMs)
      if (reply.status === 204) return NOTHING_NEW
      if (reply.status !== 200) throw refusal(name, reply)
      return line.understood(reply, checkReportAnswer)
    },
    send: async (path, body, shown, check) => {
      const reply = await line.exchange(`/api/v1/thin-clients/${path}`, body, shown, answerMarginMs)
      if (reply.status !== 200 && reply.status !== 204) throw refusal(name, reply)
      return line.understood(reply, check)
    },
    close: () => {
      line.close()
    },
  }
}

/** The connections to one broker. All that fails is a BrokerTrouble. */
class BrokerLine {
  readonly name: string
  readonly #broker: BrokerAddress
  readonly #agent: PinnedAgent
  readonly #agentForOnce: PinnedAgent

  constructor(broker: BrokerAddress, pins: PinKeeper) {
    this.#broker = broker
    this.#agent = new PinnedAgent(broker, pins)
    this.#agentForOnce = new PinnedAgent(broker, pins, false)
    this.name = formatBrokerAddress(broker)
  }

  async exchange(path: string, body: unknown, shown: Shown, timeLimitMs: number): Promise<Reply> {
    try {
      return await post({
        agent: ONCE.includes(path) ? this.#agentForOnce : this.#agent,
        broker: this.#broker,
        path,
        body: JSON.stringify(body),
        shown,
        timeLimitMs,
      })
    } catch (error) {
      throw new BrokerTrouble(`The broker ${this.name} ${reasonOf(error)}.`, null, { cause: error })
    }
  }

  understood<T>(reply: Reply, check: (body: unknown) => T): T {
    try {
      return check(reply.status === 204 ? null : parseJson(reply.text))
    } catch (error) {
      throw new BrokerTrouble(
        `The broker ${this.name} is not ` +
          `understood: ${error instanceof BadAnswer ? error.message : 'its answer is not JSON'}.`,
        null,
        { cause: error },
      )
    }
  }

  close(): void {
    this.#agent.destroy()
    this.#agentForOnce.destroy()
  }
}

/**
 * What must not be sent twice (RFC 9110, 9.2.2): a login counts its tries. Each has a connection of
 * its own, which the broker cannot have closed meanwhile, so it never has to be sent again. All
 * others may be repeated: they say what is, or what is wanted.
 */
const ONCE = ['login', 'login/code', 'login/provider'].map((path) => `/api/v1/thin-clients/${path}`)

interface Post {
  readonly agent: PinnedAgent
  readonly broker: BrokerAddress
  readonly path: string
  readonly body: string
  readonly shown: Shown
  readonly timeLimitMs: number
}

function post(call: Post): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(call.body),
      accept: 'application/json',
      ...headersOf(call.shown),
    }
    // node:http over an agent that makes TLS sockets: node:https would do its own, date-bound check.
    const outgoing = request({
      agent: call.agent,
      host: call.broker.host,
      port: call.broker.port,
      path: call.path,
      method: 'POST',
      headers,
    })
    const timer = setTimeout(
      () =>
        outgoing.destroy(
          new Error(`does not answer within ${Math.round(call.timeLimitMs / 1000)} s`),
        ),
      call.timeLimitMs,
    )
    const end = (finish: () => void): void => {
      clearTimeout(timer)
      finish()
    }
    outgoing.once('response', (incoming) => {
      readBody(incoming).then(
        (text) =>
          end(() => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text })),
        (error: Error) => {
          outgoing.destroy()
          end(() => reject(error))
        },
      )
    })
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      // The broker closed a kept connection just as it was used again: nothing was answered, so the
      // same question goes out again.
      if (outgoing.reusedSocket && error.code === 'ECONNRESET') end(() => resolve(post(call)))
      else end(() => reject(error))
    })
    outgoing.end(call.body)
  })
}

function headersOf({ deviceKey, claim }: Shown): Record<string, string> {
  if (deviceKey !== undefined) return { authorization: `Device ${deviceKey}` }
  return claim === undefined ? {} : { 'device-claim': claim }
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new Error('sent an answer of more than 256 kB')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function refusal(name: string, { status, headers, text }: Reply): BrokerTrouble {
  const retryAfterMs = retryAfter(headers['retry-after'], Date.now())
  if (status >= 300 && status < 400)
    return new BrokerTrouble(
      `The broker ${name} sends this device elsewhere (${status}), which is not followed; set the right address.`,
      retryAfterMs,
    )
  const said = messageOf(text)
  return new BrokerTrouble(
    `The broker ${name} refused with ${status}${said === '' ? '' : `: ${said}`}.`,
    retryAfterMs,
    { refusal: said === '' ? `The broker refused with ${status}.` : `${said}.` },
  )
}

function messageOf(text: string): string {
  try {
    const body = parseJson(text)
    const message =
      typeof body === 'object' && body !== null && 'message' in body ? body.message : undefined
    return typeof message === 'string' && message !== ''
      ? message.slice(0, 300).replace(/\.$/, '')
      : ''
  } catch {
    return ''
  }
}

function parseJson(text: string): unknown {
  return JSON.parse(text)
}

/**
 * The Retry-After header (RFC 9110, 10.2.3: seconds or an HTTP date) in milliseconds from `nowMs`;
 * null without a usable one.
 */
export function retryAfter(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null
  const waitMs = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return Number.isFinite(waitMs) && waitMs > 0 ? Math.min(waitMs, MAX_RETRY_AFTER_MS) : null
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'refuses connections',
  ENOTFOUND: 'has a name that does not resolve',
  EAI_AGAIN: 'has a name that cannot be resolved now',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached: there is no network',
  ECONNRESET: 'closed the connection',
  ETIMEDOUT: 'does not answer',
  EPROTO: 'does not speak TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'does not speak TLS',
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return `failed: ${String(error)}`
  const code = 'code' in error ? String(error.code) : undefined
  if (code === undefined) return error.message
  return (
    REASONS[code] ??
    (code.startsWith('HPE_')
      ? 'does not speak HTTP'
      : code.startsWith('ERR_SSL')
        ? 'does not speak TLS'
        : `failed: ${error.message}`)
  )
}
