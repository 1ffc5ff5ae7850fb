import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, WebSocket } from 'ws'

const RAW = 0
const DESKTOP_SIZE = -223
const EXTENDED_KEY = -258
const PIXEL_BYTES = 4

/** A small viewer (RFC 6143): RFB 3.8 without security, raw pixels of 4 bytes. Gives what it sees as a picture. */
export class RfbClient {
  width = 0
  height = 0
  name = ''
  #wake: () => void = () => {}
  #pixels = Buffer.alloc(0)
  #waiting: Buffer = Buffer.alloc(0)

  constructor(readonly stream: Duplex) {
    stream.on('error', () => {})
    for (const event of ['readable', 'end', 'close'])
      stream.on(event, () => {
        this.#wake()
      })
  }

  /** From the server's greeting to its description of the display. Not `shared`: a viewer that wants to be alone. */
  async begin({
    encodings = [RAW, DESKTOP_SIZE],
    shared = false,
  }: { encodings?: readonly number[]; shared?: boolean } = {}): Promise<this> {
    await this.#read(12)
    this.stream.write('RFB 003.008\n')
    await this.#read((await this.#read(1)).readUInt8(0))
    this.stream.write(Buffer.from([1]))
    const result = (await this.#read(4)).readUInt32BE(0)
    if (result !== 0) throw new Error('the display refuses this viewer')
    this.stream.write(Buffer.from([shared ? 1 : 0]))
    const init = await this.#read(24)
    this.name = (await this.#read(init.readUInt32BE(20))).toString()
    this.#resize(init.readUInt16BE(0), init.readUInt16BE(2))
    const list = Buffer.alloc(4 + 4 * encodings.length)
    list.writeUInt8(2, 0)
    list.writeUInt16BE(encodings.length, 2)
    encodings.forEach((encoding, index) => {
      list.writeInt32BE(encoding, 4 + 4 * index)
    })
    this.stream.write(list)
    return this
  }

  /**
   * Asks for the whole screen and waits until all of it was painted; the display may first say
   * something else, such as its size.
   */
  async frame(): Promise<this> {
    this.request(false)
    for (let painted = 0; painted < this.width * this.height;) painted += await this.update()
    return this
  }

  request(incremental: boolean): void {
    const wish = Buffer.alloc(10)
    wish.writeUInt8(3, 0)
    wish.writeUInt8(incremental ? 1 : 0, 1)
    wish.writeUInt16BE(this.width, 6)
    wish.writeUInt16BE(this.height, 8)
    this.stream.write(wish)
  }

  /** Waits for one update, paints it, and gives how many pixels it had. */
  async update(): Promise<number> {
    for (;;) {
      const type = (await this.#read(1)).readUInt8(0)
      if (type === 0) break
      if (type === 3) await this.#read((await this.#read(7)).readUInt32BE(3))
      else if (type !== 2) throw new Error(`the display sent a message of the type ${type}`)
    }
    const rectangles = (await this.#read(3)).readUInt16BE(1)
    let painted = 0
    for (let index = 0; index < rectangles; index++) painted += await this.#rectangle()
    return painted
  }

  key(keysym: number): void {
    for (const down of [1, 0]) {
      const event = Buffer.alloc(8)
      event.writeUInt8(4, 0)
      event.writeUInt8(down, 1)
      event.writeUInt32BE(keysym, 4)
      this.stream.write(event)
    }
  }

  type(text: string): void {
    for (const letter of text) this.key(letter.codePointAt(0) ?? 0)
  }

  /** As a PPM file. */
  picture(): Buffer {
    const rgb = Buffer.alloc(this.width * this.height * 3)
    for (let pixel = 0; pixel < this.width * this.height; pixel++)
      for (const channel of [0, 1, 2])
        rgb[pixel * 3 + channel] = this.#pixels[pixel * PIXEL_BYTES + 2 - channel] ?? 0
    return Buffer.concat([Buffer.from(`P6\n${this.width} ${this.height}\n255\n`), rgb])
  }

  close(): void {
    this.stream.destroy()
  }

  async #rectangle(): Promise<number> {
    const head = await this.#read(12)
    const [x, y, width, height] = [0, 2, 4, 6].map((at) => head.readUInt16BE(at)) as [
      number,
      number,
      number,
      number,
    ]
    const encoding = head.readInt32BE(8)
    if (encoding === DESKTOP_SIZE) this.#resize(width, height)
    if (encoding === DESKTOP_SIZE || encoding === EXTENDED_KEY) return 0
    if (encoding !== RAW) throw new Error(`the display used the encoding ${encoding}`)
    const pixels = await this.#read(width * height * PIXEL_BYTES)
    for (let row = 0; row < height; row++)
      pixels.copy(
        this.#pixels,
        ((y + row) * this.width + x) * PIXEL_BYTES,
        row * width * PIXEL_BYTES,
        (row + 1) * width * PIXEL_BYTES,
      )
    return width * height
  }

  #resize(width: number, height: number): void {
    this.width = width
    this.height = height
    this.#pixels = Buffer.alloc(width * height * PIXEL_BYTES)
  }

  async #read(bytes: number): Promise<Buffer> {
    const pieces = [this.#waiting]
    let length = this.#waiting.length
    while (length < bytes) {
      const piece = this.stream.read() as Buffer | null
      if (piece) {
        pieces.push(piece)
        length += piece.length
      } else {
        if (this.stream.destroyed || this.stream.readableEnded)
          throw new Error('the display has ended the connection')
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
    const all = Buffer.concat(pieces)
    this.#waiting = all.subarray(bytes)
    return all.subarray(0, bytes)
  }
}

export interface ScreenPlace {
  readonly url: string
  readonly ca: string
  readonly machine: string
  readonly headers: Record<string, string>
}
export interface OpenScreen {
  readonly webSocket: WebSocket
  readonly viewer: RfbClient
  readonly closed: Promise<{ code: number; reason: string }>
}

/** As a page opens a screen: the ticket first, then RFB. Rejects when the WebSocket is refused. */
export async function openScreen(
  { url, ca, machine, headers }: ScreenPlace,
  ticket: string | Buffer,
): Promise<OpenScreen> {
  const webSocket = new WebSocket(
    `${url.replace('https', 'wss')}/api/v1/machines/${machine}/screen`,
    { ca, headers, perMessageDeflate: false },
  )
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    webSocket.on('close', (code, reason) => {
      resolve({ code, reason: reason.toString() })
    })
  })
  const viewer = new RfbClient(createWebSocketStream(webSocket))
  await once(webSocket, 'open')
  if (ticket.length > 0)
    webSocket.send(typeof ticket === 'string' ? JSON.stringify({ ticket }) : ticket)
  return { webSocket, viewer, closed }
}
