import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
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
  readonly #claim = randomBytes(32).toString('hex')
  key: string | undefined
  mark: string | undefined

  constructor(readonly options: StandInOptions) {
    const hex = options.number.toString(16).padStart(6, '0')
    this.mac = `52:54:01:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}`
  }

  /** Asks once, and loses the answer: the connection breaks before it is read. */
  async askInVain(): Promise<void> {
    const { mac, options } = this
    const question = { macs: [mac], hostname: `desk-${options.number}`, version: '0.1.0' }
    await this.#send(question, (response) => {
      response.destroy()
    }).catch(() => undefined) // as it was meant
  }

  /** Asks once; `waitMs` 0: the answer comes at once. Remembers key and mark. */
  async ask(waitMs: number): Promise<AskAnswer> {
    const question: AskRequest = {
      macs: [this.mac],
      hostname: `desk-${this.options.number}`,
      version: '0.1.0',
      ...(waitMs > 0 && this.mark !== undefined ? { have: this.mark, waitMs } : {}),
    }
    const answer = await this.#post(question)
    this.key = answer.deviceKey ?? this.key
    this.mark = answer.mark
    return answer
  }

  async #post(question: AskRequest): Promise<AskAnswer> {
    const chunks: Buffer[] = []
    const status = await this.#send(question, (response) => {
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
    })
    const text = Buffer.concat(chunks).toString('utf8')
    if (status !== 200) throw new Error(`the broker answered ${status}: ${text.slice(0, 300)}`)
    return JSON.parse(text) as AskAnswer
  }

  /** Gives the status when the answer is over. */
  async #send(question: AskRequest, read: (response: IncomingMessage) => void): Promise<number> {
    const { url, agent, localAddress } = this.options
    const body = JSON.stringify(question)
    return await new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        ...(this.key === undefined
          ? { 'device-claim': this.#claim }
          : { authorization: `Device ${this.key}` }),
      }
      const sent = request(
        `${url}/api/v1/thin-clients/ask`,
        { method: 'POST', agent, headers, ...(localAddress === undefined ? {} : { localAddress }) },
        (response) => {
          response.on('error', reject)
          response.on('close', () => {
            resolve(response.statusCode ?? 0)
          })
          read(response)
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
  }
}
