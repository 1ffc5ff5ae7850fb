import { Duplex } from 'node:stream'
import { refusal } from '../../broker/errors/broker-error.js'
import { type SimulatedHost } from '../../broker/hypervisors/simulated.js'
import { SimulatedLink } from '../../broker/hypervisors/simulated-link.js'

interface Request {
  readonly id: string
  readonly op: string
  readonly args: Readonly<Record<string, unknown>>
}

const HEADER_BYTES = 12

/** A simulated line whose streams carry images, as a helper in stream mode does: every image is one frame of zeros. */
export class CarryingLink extends SimulatedLink {
  override async openStream(): Promise<Duplex> {
    if (this.status().state !== 'up')
      throw refusal('hypervisor_not_connected', { hypervisor: this.name })
    this.host.onCall('stream')
    return new HelperStream(this.host)
  }
}

/**
 * Lines first, then frames: offset (8 bytes), length (4 bytes), bytes; the frame of length 0 at the
 * file's end is the last.
 */
class HelperStream extends Duplex {
  #received = Buffer.alloc(0)
  #receiving:
    | { readonly id: string; readonly name: string; readonly owner: string; readonly size: number }
    | undefined

  constructor(readonly host: SimulatedHost) {
    super()
    this.#reply({ hello: 'berth-helper', protocol: 1 })
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#received = Buffer.concat([this.#received, chunk])
    try {
      while (this.#receiving ? this.#takeFrame() : this.#takeLine()) continue
    } catch {
      this.destroy() // a fault that a test has ordered: the connection is cut
    }
    done()
  }

  #takeLine(): boolean {
    const end = this.#received.indexOf(10)
    if (end === -1) return false
    const request = JSON.parse(this.#received.subarray(0, end).toString('utf8')) as Request
    this.#received = this.#received.subarray(end + 1)
    this.host.onCall(request.op)
    if (request.op === 'file_send') this.#send(request)
    else if (request.op === 'file_receive') this.#receive(request)
    else this.#reply({ id: request.id, ok: true, result: {} })
    return true
  }

  #send({ id, args }: Request): void {
    if (!this.host.images.has(String(args['name'])))
      return this.#reply({
        id,
        ok: false,
        error: { code: 'not_found', message: 'there is no such image' },
      })
    this.#reply({ id, ok: true, result: { size: 1_000 } })
    this.push(Buffer.concat([header(0, 1_000), Buffer.alloc(1_000), header(1_000, 0)]))
    this.push(null)
  }

  #receive({ id, args }: Request): void {
    const name = String(args['name'])
    const done = this.host.images.has(name)
    const owner = String(args['owner'])
    if (done && this.host.marks.get(`images/${name}`)?.owner !== owner)
      return this.#reply({
        id,
        ok: false,
        error: { code: 'foreign', message: `${name} is foreign` },
      })
    this.#reply({
      id,
      ok: true,
      result: { offset: done ? Number(args['size']) : 0, ...(done ? { done } : {}) },
    })
    if (!done) this.#receiving = { id, name, owner, size: Number(args['size']) }
  }

  #takeFrame(): boolean {
    if (!this.#receiving || this.#received.length < HEADER_BYTES) return false
    const length = this.#received.readUInt32BE(8)
    if (this.#received.length < HEADER_BYTES + length) return false
    this.#received = this.#received.subarray(HEADER_BYTES + length)
    if (length > 0) return true
    const { id, name, owner } = this.#receiving
    this.host.images.set(name, null)
    this.host.marks.set(`images/${name}`, { owner, operation: undefined, result: {} })
    this.host.onAnswer('file_receive')
    this.#reply({ id, ok: true, result: { sha256: '' } })
    return false
  }

  #reply(line: object): void {
    this.push(`${JSON.stringify(line)}\n`)
  }
}

function header(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.writeBigUInt64BE(BigInt(offset))
  bytes.writeUInt32BE(length, 8)
  return bytes
}
