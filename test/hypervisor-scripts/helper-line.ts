import { type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { until } from '../support/until.js'

export type Json = Record<string, unknown>
export type Answer = {
  id: string | null
  ok: boolean
  result: Json
  error: { code: string; message: string }
  replayed?: boolean
}

const answerTimeoutMs = 60_000

/** A helper process and the connection to it, as the broker has it but without SSH. */
export class HelperLine {
  readonly messages: Json[] = []
  readonly #child: ChildProcessWithoutNullStreams
  #unread = Buffer.alloc(0)
  #count = 0
  /** Once a stream has begun, what comes is raw. */
  raw: Buffer[] | undefined
  errors = ''

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    child.stdout.on('data', (data: Buffer) => this.#take(data))
    child.stderr.on('data', (data: Buffer) => (this.errors += data.toString()))
    child.stdin.on('error', () => undefined)
  }

  get child(): ChildProcessWithoutNullStreams {
    return this.#child
  }

  /** Sends a request and gives its id. */
  send(op: string, args: unknown = {}, more: Json = {}): string {
    const id = `r${++this.#count}`
    this.write(`${JSON.stringify({ id, op, args, ...more })}\n`)
    return id
  }

  write(data: string | Buffer): void {
    this.#child.stdin.write(data)
  }

  async answer(id: string | null, withinMs = answerTimeoutMs): Promise<Answer> {
    const isAnswer = (message: Json) => message['id'] === id && typeof message['ok'] === 'boolean'
    const what = `the helper answers ${id}`
    return (await until(() => this.messages.find(isAnswer), {
      withinMs,
      everyMs: 5,
      what,
    })) as Answer
  }

  async ask(op: string, args: unknown = {}, more: Json = {}): Promise<Answer> {
    return this.answer(this.send(op, args, more))
  }

  /** The result of a request that must go well. */
  async must(op: string, args: unknown = {}, more: Json = {}): Promise<Json> {
    const answer = await this.ask(op, args, more)
    if (!answer.ok) throw new Error(`${op}: ${answer.error.code}: ${answer.error.message}`)
    return answer.result
  }

  /** The error code of a request that must be refused. */
  async refusal(op: string, args: unknown = {}, more: Json = {}): Promise<string> {
    const answer = await this.ask(op, args, more)
    return answer.ok ? `no refusal: ${JSON.stringify(answer.result)}` : answer.error.code
  }

  /** Ends the connection and gives the exit code. */
  async end(): Promise<number | null> {
    if (this.#child.exitCode !== null) return this.#child.exitCode
    const ended = once(this.#child, 'exit')
    this.#child.stdin.end()
    const [code] = (await ended) as [number | null]
    return code
  }

  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }

  #take(data: Buffer): void {
    if (this.raw) {
      this.raw.push(data)
      return
    }
    this.#unread = Buffer.concat([this.#unread, data])
    let end = this.#unread.indexOf(10)
    while (end >= 0 && !this.raw) {
      const message = JSON.parse(this.#unread.subarray(0, end).toString()) as Json
      this.#unread = this.#unread.subarray(end + 1)
      this.messages.push(message)
      if (typeof (message['result'] as Json | undefined)?.['size'] === 'number')
        this.raw = [this.#unread]
      end = this.#unread.indexOf(10)
    }
  }
}
