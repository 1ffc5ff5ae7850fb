import { once } from 'node:events'
import { finished, pipeline } from 'node:stream/promises'
import { type Duplex, Transform } from 'node:stream'
import { BrokerError, refusal } from '../errors/broker-error.js'
import { errorOf } from '../hypervisors/helper-channel.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'

export interface Carried {
  /** The generation's. */
  readonly id: string
  readonly file: string
  readonly sha256: string
  readonly bytes: number
}

/**
 * Carries an image from one hypervisor to another through the broker: only data extents, from where
 * an earlier attempt stopped. The receiver compares the SHA-256 before the file gets its name. Safe
 * to repeat; throws `hypervisor_unreachable` when a line is lost (the part stays for the next try).
 */
export async function carryImage(
  from: HypervisorLink,
  to: HypervisorLink,
  image: Carried,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const receiver = await Conversation.open(to, 'file_receive', {
    name: image.file,
    size: image.bytes,
    sha256: image.sha256,
    owner: image.id,
  })
  try {
    const { offset, done } = receiver.answer as { offset: number; done?: boolean }
    if (done) return
    await send(from, receiver, { image, offset }, signal, onProgress)
  } catch (error) {
    if (signal.aborted) throw refusal('job_cancelled')
    if (error instanceof BrokerError) throw error
    throw refusal(
      'image_line_lost',
      { from: from.name, to: to.name, file: image.file },
      { cause: error },
    )
  } finally {
    receiver.close()
  }
}

async function send(
  from: HypervisorLink,
  receiver: Conversation,
  { image, offset }: { readonly image: Carried; readonly offset: number },
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const sender = await Conversation.open(from, 'file_send', {
    dir: 'images',
    name: image.file,
    offset,
  })
  try {
    await pipeline(
      sender.stream,
      new FrameWatch((at) => {
        onProgress(at, image.bytes)
      }),
      receiver.stream,
      { end: false, signal },
    )
    await receiver.nextReply()
    onProgress(image.bytes, image.bytes)
  } finally {
    sender.close()
  }
}

/** A helper in stream mode: a line each way, then raw frames. */
class Conversation {
  #answer: unknown

  private constructor(
    readonly hypervisor: string,
    readonly stream: Duplex,
  ) {}

  get answer(): unknown {
    return this.#answer
  }

  static async open(link: HypervisorLink, op: string, args: object): Promise<Conversation> {
    const conversation = new Conversation(link.name, await link.openStream())
    try {
      await conversation.#line() // the hello
      const { path: images } = link.status().facts?.directories.images ?? { path: '' }
      const { overlays, transient } = link.status().facts?.directories ?? {}
      const places = { images, overlays: overlays?.path, transient: transient?.path }
      conversation.stream.write(`${JSON.stringify({ id: 's0', op: 'configure', args: places })}\n`)
      await conversation.nextReply()
      conversation.stream.write(`${JSON.stringify({ id: 's1', op, args })}\n`)
      conversation.#answer = await conversation.nextReply()
      return conversation
    } catch (error) {
      conversation.close()
      throw error
    }
  }

  /**
   * The result of the next reply line; throws the helper's error. Events of the stream's own helper
   * are passed over.
   */
  async nextReply(): Promise<unknown> {
    for (;;) {
      const line = JSON.parse(await this.#line()) as {
        ok?: boolean
        result?: unknown
        error?: unknown
      }
      if (line.ok === true) return line.result
      if (line.ok === false) throw errorOf(this.hypervisor, line.error)
    }
  }

  close(): void {
    this.stream.destroy()
  }

  /** Reads up to a newline and puts the rest back: raw frames may follow at once. */
  async #line(): Promise<string> {
    const parts: Buffer[] = []
    for (;;) {
      const chunk = this.stream.read() as Buffer | null
      if (chunk === null) {
        if (!(await readable(this.stream))) throw new Error('the helper ended')
        continue
      }
      const end = chunk.indexOf(10)
      if (end === -1) {
        parts.push(chunk)
        continue
      }
      parts.push(chunk.subarray(0, end))
      if (end + 1 < chunk.length) this.stream.unshift(chunk.subarray(end + 1))
      return Buffer.concat(parts).toString('utf8')
    }
  }
}

/** True when there is something to read, false when the stream has ended or is gone. */
async function readable(stream: Duplex): Promise<boolean> {
  if (stream.readableEnded || stream.destroyed) return false
  const stop = new AbortController()
  const gone = finished(stream, { writable: false, signal: stop.signal }).then(
    () => false,
    () => false,
  )
  const more = once(stream, 'readable', { signal: stop.signal }).then(
    () => true,
    () => false,
  )
  const answer = await Promise.race([gone, more])
  stop.abort()
  return answer
}

/** Reads the frame headers that pass by to tell how far the image is; the bytes go through untouched. */
class FrameWatch extends Transform {
  #header = Buffer.alloc(0)
  #body = 0

  constructor(readonly onOffset: (offset: number) => void) {
    super()
  }

  override _transform(chunk: Buffer, _encoding: string, done: () => void): void {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#body > 0) {
        const step = Math.min(this.#body, rest.length)
        this.#body -= step
        rest = rest.subarray(step)
        continue
      }
      const missing = 12 - this.#header.length
      this.#header = Buffer.concat([this.#header, rest.subarray(0, missing)])
      rest = rest.subarray(missing)
      if (this.#header.length < 12) break
      this.onOffset(Number(this.#header.readBigUInt64BE(0)))
      this.#body = this.#header.readUInt32BE(8)
      this.#header = Buffer.alloc(0)
    }
    this.push(chunk)
    done()
  }
}
