import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type TLSSocket } from 'node:tls'
import { ownCertificate } from './own-certificate.js'

/** A question to the stub: a bind with its DN, or a search with its filter as it came (BER). */
export type Question =
  | { readonly kind: 'bind'; readonly dn: string; readonly password: string }
  | { readonly kind: 'search'; readonly said: string }
/** A result code (RFC 4511), a diagnostic message, and the entries before it. `silent`: there is no answer. */
export interface Reply {
  readonly code?: number
  readonly message?: string
  readonly entries?: ReadonlyArray<readonly [dn: string, attributes: Record<string, string>]>
  readonly silent?: true
}

/** A directory that answers what a test wants, which no real one can be made to: busy, unwilling, at its limits. */
export class StubDirectory {
  readonly asked: Question[] = []
  private constructor(
    readonly url: string,
    readonly ca: string,
    readonly remove: () => void,
  ) {}

  static async start(reply: (question: Question) => Reply): Promise<StubDirectory> {
    const folder = mkdtempSync(join(tmpdir(), 'berth-stub-directory-'))
    const { certificate, key } = await ownCertificate(folder, ['127.0.0.1'])
    const sockets = new Set<TLSSocket>()
    const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) })
    server.on('secureConnection', (socket) => {
      sockets.add(socket)
      let waiting = Buffer.alloc(0)
      socket.on('error', () => undefined)
      socket.on('data', (data: Buffer) => {
        waiting = Buffer.concat([waiting, data])
        for (;;) {
          const message = element(waiting)
          if (!message || message.end > waiting.length) return
          socket.write(answerTo(message.content, reply, stub.asked))
          waiting = waiting.subarray(message.end)
        }
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const stub = new StubDirectory(
      `ldaps://127.0.0.1:${(server.address() as AddressInfo).port}`,
      certificate,
      () => {
        for (const socket of sockets) socket.destroy()
        server.close()
        rmSync(folder, { recursive: true, force: true })
      },
    )
    return stub
  }
}

function answerTo(
  message: Buffer,
  reply: (question: Question) => Reply,
  asked: Question[],
): Buffer {
  const id = element(message)
  const op = id && element(message.subarray(id.end))
  if (!id || !op || (op.tag !== 0x60 && op.tag !== 0x63)) return Buffer.alloc(0)
  const question: Question =
    op.tag === 0x60 ? bindOf(op.content) : { kind: 'search', said: op.content.toString('latin1') }
  asked.push(question)
  const { code = 0, message: said = '', entries = [], silent } = reply(question)
  if (silent) return Buffer.alloc(0)
  const wrap = (content: Buffer): Buffer => ber(0x30, ber(0x02, id.content), content)
  return Buffer.concat([
    ...entries.map(([dn, attributes]) => wrap(entryOf(dn, attributes))),
    wrap(
      ber(
        op.tag === 0x60 ? 0x61 : 0x65,
        ber(0x0a, Buffer.from([code])),
        ber(0x04, Buffer.alloc(0)),
        ber(0x04, Buffer.from(said)),
      ),
    ),
  ])
}

function bindOf(content: Buffer): Question {
  const version = element(content)
  const dn = element(content.subarray(version?.end ?? 0))
  const secret = element(content.subarray((version?.end ?? 0) + (dn?.end ?? 0)))
  return {
    kind: 'bind',
    dn: dn?.content.toString() ?? '',
    password: secret?.content.toString() ?? '',
  }
}

function entryOf(dn: string, attributes: Record<string, string>): Buffer {
  const list = Object.entries(attributes).map(([name, value]) =>
    ber(0x30, ber(0x04, Buffer.from(name)), ber(0x31, ber(0x04, Buffer.from(value)))),
  )
  return ber(0x64, ber(0x04, Buffer.from(dn)), ber(0x30, ...list))
}

function ber(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  return Buffer.concat([
    Buffer.from([tag, 0x82, content.length >> 8, content.length & 0xff]),
    content,
  ])
}

/** The first element of a text in BER; its end may be beyond what has come so far. */
function element(data: Buffer): { tag: number; content: Buffer; end: number } | null {
  const [tag, first] = data
  if (tag === undefined || first === undefined) return null
  const more = first & 0x80 ? first & 0x7f : 0
  if (data.length < 2 + more) return null
  const length = more === 0 ? first : data.readUIntBE(2, more)
  const end = 2 + more + length
  return { tag, content: data.subarray(2 + more, end), end }
}
