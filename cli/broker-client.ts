import type { Static, TSchema } from '@sinclair/typebox'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { parseAnswer } from './answers.js'
import { type BrokerAddress, showBrokerAddress } from './broker-address.js'
import { CliError, RefusalError, sentenceOf } from './cli-error.js'
import type { Trust } from '../broker/api/server-identity.js'
import { openPinned } from './pinned-connection.js'
import { type ServerSentEvent, readServerSentEvents } from './server-sent-events.js'

/** Scanning a host that does not answer takes the broker the longest. */
const ANSWER_TIMEOUT_MS = 60_000
/** The broker sends a comment every 15 s, so a stream that is silent for three of them is dead. */
const STREAM_SILENCE_MS = 45_000
const LARGEST_ANSWER = 64 * 1024 * 1024

export interface BrokerTarget {
  readonly address: BrokerAddress
  readonly trust: Trust
  readonly token: string | null
}
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
interface Call {
  readonly method: Method
  readonly path: string
  readonly body?: unknown
  readonly accept?: string
  readonly silenceMs?: number
  readonly signal?: AbortSignal | undefined
}

/** Writes a path with each inserted value encoded, so that no name can reach another route. */
export function apiPath(
  parts: TemplateStringsArray,
  ...values: ReadonlyArray<string | number>
): string {
  return parts.reduce(
    (path, part, index) => path + encodeURIComponent(values[index - 1] ?? '') + part,
  )
}

/** Writes `?a=b&c=d` of what is defined; an empty string when nothing is. */
export function apiQuery(
  values: Readonly<Record<string, string | number | boolean | undefined>>,
): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(values))
    if (value !== undefined) query.set(name, String(value))
  return query.size === 0 ? '' : `?${query.toString()}`
}

/**
 * Asks the broker's API. Every method throws RefusalError when the broker refuses, CliError
 * unreachable or wrong-broker when it cannot be asked.
 */
export class BrokerClient {
  constructor(readonly target: BrokerTarget) {}

  /** GET below /api/v1. */
  async get<T extends TSchema>(path: string, answer: T): Promise<Static<T>> {
    return await this.send('GET', path, undefined, answer)
  }

  async send<T extends TSchema>(
    method: Method,
    path: string,
    body: unknown,
    answer: T,
  ): Promise<Static<T>> {
    const text = await this.#text({ method, path: `/api/v1${path}`, body })
    return parseAnswer(answer, parseJson(text, `${method} ${path}`), `${method} ${path}`)
  }

  /** For requests whose answer has no content. */
  async sendOnly(method: Method, path: string, body?: unknown): Promise<void> {
    await this.#text({ method, path: `/api/v1${path}`, body })
  }

  /** A file of the broker outside /api/v1, as text. */
  async file(path: string): Promise<string> {
    return await this.#text({ method: 'GET', path, accept: '*/*' })
  }

  /** The parts of a large answer, as they come. Throws CliError unreachable when it is cut. */
  async *stream(path: string): AsyncGenerator<string> {
    const response = await this.#open({ method: 'GET', path, accept: '*/*' })
    response.setEncoding('utf8')
    try {
      for await (const part of response) yield String(part)
    } catch (cause) {
      throw this.#cut(cause)
    }
  }

  /** The events of a stream below /api/v1, until the broker ends it. Throws CliError unreachable when it is cut. */
  async *events(path: string, signal?: AbortSignal): AsyncGenerator<ServerSentEvent> {
    const response = await this.#open({
      method: 'GET',
      path: `/api/v1${path}`,
      accept: 'text/event-stream',
      silenceMs: STREAM_SILENCE_MS,
      signal,
    })
    response.setEncoding('utf8')
    try {
      yield* readServerSentEvents(response)
    } catch (cause) {
      throw this.#cut(cause)
    } finally {
      response.destroy()
    }
  }

  async #text(call: Call): Promise<string> {
    const response = await this.#open(call)
    try {
      return await readAll(response)
    } catch (cause) {
      throw this.#cut(cause)
    }
  }

  async #open(call: Call): Promise<IncomingMessage> {
    const socket = await openPinned(this.target.address, this.target.trust)
    const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body))
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const { host, port } = this.target.address
      const outgoing = request(
        {
          host,
          port,
          method: call.method,
          path: call.path,
          headers: this.#headers(call, body),
          createConnection: () => socket,
          ...(call.signal === undefined ? {} : { signal: call.signal }),
        },
        resolve,
      )
      outgoing.setTimeout(call.silenceMs ?? ANSWER_TIMEOUT_MS, () => {
        outgoing.destroy(new Error('it stopped answering'))
      })
      outgoing.once('error', (cause) => {
        reject(this.#cut(cause))
      })
      outgoing.end(body ?? undefined)
    })
    if ((response.statusCode ?? 0) >= 200 && (response.statusCode ?? 0) < 300) return response
    throw refusalOf(response.statusCode ?? 0, await readAll(response).catch(() => ''))
  }

  #headers(call: Call, body: Buffer | null): Record<string, string> {
    return {
      accept: call.accept ?? 'application/json',
      connection: 'close',
      ...(this.target.token === null ? {} : { authorization: `Bearer ${this.target.token}` }),
      ...(body === null
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(body.length) }),
    }
  }

  #cut(cause: unknown): CliError {
    if (cause instanceof CliError) return cause
    return new CliError(
      'unreachable',
      `The connection to the broker ${showBrokerAddress(this.target.address)} was lost ` +
        `(${sentenceOf(cause)}); whether it did what was asked is not known.`,
      [],
      { cause },
    )
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8')
  let text = ''
  for await (const chunk of response) {
    text += String(chunk)
    if (text.length > LARGEST_ANSWER) throw new Error('the answer is larger than 64 MiB')
  }
  return text
}

function parseJson(text: string, where: string): unknown {
  if (text === '') return undefined
  try {
    const value: unknown = JSON.parse(text)
    return value
  } catch (cause) {
    throw new CliError(
      'refused',
      `The broker's answer to ${where} is not JSON; is this really a Berth broker?`,
      [],
      { cause },
    )
  }
}

/** An ErrorBody as it should be; anything else (a proxy's page, say) is told by its status. */
export function refusalOf(status: number, text: string): RefusalError {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    body = null
  }
  const fields: Partial<Record<string, unknown>> =
    typeof body === 'object' && body !== null ? { ...body } : {}
  const message =
    typeof fields['message'] === 'string'
      ? fields['message']
      : `The broker answered with status ${status} and no reason.`
  const details: unknown[] = Array.isArray(fields['details']) ? fields['details'] : []
  return new RefusalError(
    status,
    String(fields['code'] ?? 'unknown'),
    message,
    details,
    String(fields['requestId'] ?? ''),
  )
}
