import { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'

/** The text message that ends one direction; the other goes on. */
const END = 'end'
/** RFC 6455, section 7.4.1. */
const NORMAL_CLOSE = 1000
const GOING_AWAY = 1001
/** Larger messages are refused, so that nobody fills the other's memory. */
export const LARGEST_MESSAGE_BYTES = 1_048_576
const PIECE_BYTES = 65_536
/** RFC 6455, section 5.5: what a close may say of its reason. */
const LONGEST_REASON_BYTES = 123

/**
 * The wire form of a forwarded connection, which both ends of `port-forward` speak: a WebSocket
 * whose binary messages are the bytes, and whose text message `end` ends that direction (a
 * half-close, which WebSocket itself lacks). Back-pressure goes both ways: nobody reads more than
 * is taken.
 */
export class ByteSocket extends Duplex {
  /** Why the other side closed, when it said so. */
  closeReason = ''
  #ended = false

  constructor(readonly webSocket: WebSocket) {
    super({ allowHalfOpen: true })
    webSocket.on('message', (data: RawData, isBinary: boolean) => {
      this.#take(data, isBinary)
    })
    webSocket.on('close', (code: number, reason: Buffer) => {
      this.#closed(code, reason.toString())
    })
    webSocket.on('error', (error: Error) => {
      this.destroy(error)
    })
  }

  /** Closes with a sentence for the other side. */
  cut(reason: string): void {
    this.webSocket.close(GOING_AWAY, closeReason(reason))
    this.destroy()
  }

  override _read(): void {
    this.webSocket.resume()
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.#send(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.webSocket.send(END, (error) => {
      if (this.#ended) this.webSocket.close(NORMAL_CLOSE)
      done(error ?? null)
    })
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.webSocket.resume()
    if (this.webSocket.readyState === this.webSocket.OPEN)
      this.webSocket.close(this.#ended && this.writableFinished ? NORMAL_CLOSE : GOING_AWAY)
    done(error)
  }

  #send(chunk: Buffer, done: (error?: Error | null) => void): void {
    const piece = chunk.subarray(0, PIECE_BYTES)
    const rest = chunk.subarray(PIECE_BYTES)
    this.webSocket.send(piece, { binary: true }, (error) => {
      if (error || rest.length === 0) done(error ?? null)
      else this.#send(rest, done)
    })
  }

  #take(data: RawData, isBinary: boolean): void {
    if (this.destroyed || this.#ended) return
    if (!isBinary) {
      this.#ended = true
      this.push(null)
      if (this.writableFinished) this.webSocket.close(NORMAL_CLOSE)
    } else if (!this.push(bytesOf(data))) {
      this.webSocket.pause()
    }
  }

  #closed(code: number, reason: string): void {
    this.closeReason = reason
    if (code === NORMAL_CLOSE && this.#ended) this.destroy()
    else this.destroy(new Error(reason || 'the connection was cut'))
  }
}

/** As much of a sentence as a close may carry. */
export function closeReason(sentence: string): string {
  return Buffer.from(sentence)
    .subarray(0, LONGEST_REASON_BYTES)
    .toString()
    .replace(/\ufffd$/, '')
}

export function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
