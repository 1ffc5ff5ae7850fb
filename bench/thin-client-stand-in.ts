import { type Agent, request } from 'node:https'
import type { AskAnswer, AskRequest } from '../broker/api/thin-clients.js'

export interface StandInOptions {
  readonly url: string
  readonly agent: Agent
  readonly number: number
  readonly localAddress?: string
}

/** Asks as a thin client asks; it has a MAC and the key that it was given. */
export class ThinClientStandIn {
  readonly mac: string
  key: string | undefined
  mark: string | undefined

  constructor(readonly options: StandInOptions) {
    const hex = options.number.toString(16).padStart(6, '0')
    this.mac = `52:54:01:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}`
  }

  /** Asks once; `waitMs` 0: the answer comes at once. Remembers key and mark. */
  async ask(waitMs: number): Promise<AskAnswer> {
    const question: AskRequest = {
      macs: [this.mac],
      hostname: `desk-${this.options.number}`,
      version: '0.1.0',
      ...(waitMs > 0 && this.mark !== undefined ? { have: this.mark, waitMs } : {}),
    }
    const answer = await this.#post(JSON.stringify(question))
    this.key = answer.deviceKey ?? this.key
    this.mark = answer.mark
    return answer
  }

  async #post(body: string): Promise<AskAnswer> {
    const { url, agent, localAddress } = this.options
    return await new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        ...(this.key === undefined ? {} : { authorization: `Device ${this.key}` }),
      }
      const sent = request(
        `${url}/api/v1/thin-clients/ask`,
        { method: 'POST', agent, headers, ...(localAddress === undefined ? {} : { localAddress }) },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8')
            if (response.statusCode === 200) resolve(JSON.parse(text) as AskAnswer)
            else
              reject(
                new Error(`the broker answered ${response.statusCode ?? 0}: ${text.slice(0, 300)}`),
              )
          })
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
  }
}
