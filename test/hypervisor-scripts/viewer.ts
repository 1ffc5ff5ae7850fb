import { constants, createPublicKey, publicEncrypt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { mustRun } from '../fleet/command.js'

/** Signs a request with a CA made for it, as the broker does. */
export async function makeCertificate(csr: string): Promise<{ certificate: string; ca: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-ca-'))
  const at = (name: string) => join(folder, name)
  try {
    writeFileSync(at('csr.pem'), csr)
    const key = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      at('ca-key.pem'),
    ]
    await mustRun([
      'openssl',
      'req',
      '-x509',
      ...key,
      '-out',
      at('ca.pem'),
      '-subj',
      '/O=Berth/CN=test CA',
      '-days',
      '2',
    ])
    const by = [
      '-CA',
      at('ca.pem'),
      '-CAkey',
      at('ca-key.pem'),
      '-CAcreateserial',
      '-copy_extensions',
      'copy',
    ]
    await mustRun([
      'openssl',
      'x509',
      '-req',
      '-in',
      at('csr.pem'),
      ...by,
      '-out',
      at('cert.pem'),
      '-days',
      '2',
    ])
    return {
      certificate: readFileSync(at('cert.pem'), 'utf8'),
      ca: readFileSync(at('ca.pem'), 'utf8'),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

// Numbers of the SPICE protocol: spice-protocol's spice/protocol.h and enums.h.
const magic = 0x51444552
const permissionDenied = 7
const authSpice = 1
const commonCapabilities = 0b1011
const mainInit = 103
// Without the display channel: a client that opens it and then is silent holds QEMU for 30 s.
export const channelTypes = { main: 1, inputs: 3, cursor: 4 } as const

function linkMessage(session: number, type: number): Buffer {
  const message = Buffer.alloc(16 + 18 + 4)
  for (const [index, value] of [magic, 2, 2, 22].entries()) message.writeUInt32LE(value, index * 4)
  message.writeUInt32LE(session, 16)
  message.writeUInt8(type, 20)
  for (const [index, value] of [1, 0, 18, commonCapabilities].entries())
    message.writeUInt32LE(value, 22 + index * 4)
  return message
}

/** One SPICE channel by TLS: just enough of the protocol to show a ticket and stay connected. */
export class SpiceChannel {
  readonly #socket: TLSSocket
  #unread = Buffer.alloc(0)
  closed = false
  session = 0

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.on('data', (data: Buffer) => (this.#unread = Buffer.concat([this.#unread, data])))
    socket.on('close', () => (this.closed = true))
    socket.on('error', () => (this.closed = true))
  }

  /** Opens a channel with a ticket; gives undefined when the ticket is refused. `session` is 0 for the main channel. */
  static async open(
    at: { host: string; port: number; ca: string },
    ticket: string,
    type: number,
    session = 0,
  ): Promise<SpiceChannel | undefined> {
    const socket = connect({ ...at, checkServerIdentity: () => undefined })
    await once(socket, 'secureConnect')
    const channel = new SpiceChannel(socket)
    socket.write(linkMessage(session, type))
    const header = await channel.#read(16)
    const reply = await channel.#read(header.readUInt32LE(12))
    const key = createPublicKey({ key: reply.subarray(4, 4 + 162), format: 'der', type: 'spki' })
    const secret = publicEncrypt(
      { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
      Buffer.from(`${ticket}\0`),
    )
    const mechanism = Buffer.alloc(4)
    mechanism.writeUInt32LE(authSpice)
    socket.write(Buffer.concat([mechanism, secret]))
    const result = (await channel.#read(4)).readUInt32LE()
    if (result === permissionDenied) {
      socket.destroy()
      return undefined
    }
    if (result !== 0) throw new Error(`the SPICE server answers ${result}`)
    if (type === channelTypes.main) channel.session = await channel.#sessionId()
    return channel
  }

  close(): void {
    this.#socket.destroy()
  }

  async #sessionId(): Promise<number> {
    for (;;) {
      const header = await this.#read(6)
      const body = await this.#read(header.readUInt32LE(2))
      if (header.readUInt16LE() === mainInit) return body.readUInt32LE()
    }
  }

  async #read(size: number): Promise<Buffer> {
    while (this.#unread.length < size) {
      if (this.closed) throw new Error('the SPICE server closed the channel')
      await Promise.race([once(this.#socket, 'data'), once(this.#socket, 'close')])
    }
    const data = this.#unread.subarray(0, size)
    this.#unread = this.#unread.subarray(size)
    return data
  }
}
