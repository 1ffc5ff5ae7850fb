import { request } from 'node:https'
import type { Job } from '../../broker/api/jobs.js'
import { JOB_ENDED } from '../../broker/api/jobs.js'
import { until } from './until.js'

export interface RawAnswer {
  readonly status: number
  readonly body: unknown
  readonly text: string
  readonly headers: Record<string, unknown>
}

/** What became of each target of a job, in one line. */
export function targetsOf({ targets }: Job): string {
  return targets.map(({ name, state, message }) => `${name}: ${state} ${message}`).join('; ')
}

/** An answer that was not a success. */
export class ApiFault extends Error {
  override readonly name = 'ApiFault'
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details?: unknown,
  ) {
    super(message)
  }
}

/** A small client for tests: JSON over HTTPS with the broker's CA. */
export class ApiClient {
  constructor(
    readonly url: string,
    readonly ca: string,
    readonly token: string | null = null,
    /** The address that it comes from, where it matters. */
    readonly localAddress?: string,
  ) {}

  async get<T>(path: string): Promise<T> {
    return await this.#ask<T>('GET', path)
  }
  async post<T>(path: string, body: unknown = {}): Promise<T> {
    return await this.#ask<T>('POST', path, body)
  }
  async put<T>(path: string, body: unknown): Promise<T> {
    return await this.#ask<T>('PUT', path, body)
  }
  async patch<T>(path: string, body: unknown): Promise<T> {
    return await this.#ask<T>('PATCH', path, body)
  }
  async delete<T>(path: string): Promise<T> {
    return await this.#ask<T>('DELETE', path)
  }

  /** Waits for the end of a job and gives it, whatever its end. */
  async ended(job: string, withinMs = 120_000): Promise<Job> {
    return await until(
      async () => {
        const seen = await this.get<Job>(`/jobs/${job}`)
        return JOB_ENDED.includes(seen.state) ? seen : null
      },
      { withinMs, what: `job ${job} has ended` },
    )
  }

  /** As `ended`; throws with the targets' messages unless it succeeded. */
  async succeeded(job: string, withinMs?: number): Promise<Job> {
    const ended = await this.ended(job, withinMs)
    if (ended.state !== 'succeeded')
      throw new Error(`job ${ended.kind} ${ended.state}: ${ended.message} ${targetsOf(ended)}`)
    return ended
  }

  /** Orders a job by a POST, and waits until it has succeeded. */
  async done(path: string, body: unknown = {}): Promise<void> {
    await this.succeeded((await this.post<{ job: string }>(path, body)).job)
  }

  /** Any request, any answer; `path` may also be outside of the API. */
  async raw(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<RawAnswer> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    return await new Promise((resolve, reject) => {
      const sent = request(
        `${this.url}${path}`,
        {
          method,
          ca: this.ca,
          agent: false,
          ...(this.localAddress === undefined ? {} : { localAddress: this.localAddress }),
          headers: {
            ...(text === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
            ...(this.token === null ? {} : { authorization: `Bearer ${this.token}` }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            const answer = Buffer.concat(chunks).toString('utf8')
            resolve({
              status: response.statusCode ?? 0,
              text: answer,
              body: parsed(answer),
              headers: response.headers,
            })
          })
        },
      )
      sent.on('error', reject)
      sent.end(text)
    })
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.raw(method, `/api/v1${path}`, body)
    if (answer.status < 300) return answer.body as T
    const {
      code = 'none',
      message = answer.text,
      details,
    } = (answer.body ?? {}) as { code?: string; message?: string; details?: unknown }
    throw new ApiFault(answer.status, code, message, details)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return null
  }
}
