import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { subnetOf } from '../addresses.js'
import { inBackground } from '../background.js'
import type { Hypervisors } from '../hypervisors/service.js'
import { Seldom } from '../seldom.js'
import { plainAddress } from './policy.js'
import type { Pass, ProxyTokens } from './proxy-tokens.js'
import { carry, type Tunnels } from './tunnels.js'

export interface ConsoleProxyDeps {
  readonly tokens: ProxyTokens
  readonly tunnels: Tunnels
  readonly hypervisors: Hypervisors
  readonly log: Logger
}

/** spice-gtk's request has about 300 bytes. */
const LARGEST_HEADER_BYTES = 2_048
const HEADER_WITHIN_MS = 5_000
const CHECK_EVERY_MS = 500
/**
 * Connections that have not said yet what they want: of one address, and in all. Whoever is above
 * is closed at once.
 */
const MOST_SILENT_OF_ONE = 100
const MOST_SILENT = 2_000
const DISPLAY_WITHIN_MS = 10_000
/** A viewer whose network is gone is noticed after about two minutes. */
const KEEPALIVE_MS = 30_000

/**
 * The console proxy: HTTP CONNECT to a token, and to nothing else. It speaks plain HTTP, since
 * spice-gtk can be given no CA for a proxy; what runs inside is the viewer's TLS to QEMU, end to
 * end. Whoever has no token learns nothing: every CONNECT that is not let in gets the same answer.
 */
export class ConsoleProxy {
  readonly #server: Server
  readonly #silent = new Map<string, number>()
  readonly #spoke = new WeakMap<Duplex, () => void>()
  /** Whoever guesses tokens must not fill the log. */
  readonly #told = new Seldom(60_000)
  #silentInAll = 0

  constructor(readonly deps: ConsoleProxyDeps) {
    this.#server = createServer({
      maxHeaderSize: LARGEST_HEADER_BYTES,
      headersTimeout: HEADER_WITHIN_MS,
      requestTimeout: HEADER_WITHIN_MS,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
    })
    this.#server.maxHeadersCount = 50
    this.#server.on('connection', (socket) => {
      this.#count(socket)
    })
    this.#server.on('request', (_request, response) => {
      response.writeHead(405, { allow: 'CONNECT', connection: 'close' }).end()
    })
    this.#server.on('connect', (request, socket, head) => {
      inBackground({
        log: this.deps.log,
        what: 'consoles.proxy',
        work: () => this.#connect(request, socket as Socket, head),
      })
    })
    this.#server.on('clientError', (_error, socket) => {
      answer(socket, '400 Bad Request')
    })
  }

  /** Gives the port; `port` 0 takes a free one. */
  async listen(host: string, port: number): Promise<number> {
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    const address = this.#server.address()
    return typeof address === 'object' && address ? address.port : port
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    if (this.#server.listening)
      await new Promise((resolve) => {
        this.#server.close(resolve)
      })
  }

  /** Bounds the connections that are still silent, so that nobody can take all places by saying nothing. */
  #count(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? '')
    const silent = (this.#silent.get(address) ?? 0) + 1
    socket.on('error', () => {})
    if (silent > MOST_SILENT_OF_ONE || this.#silentInAll >= MOST_SILENT) {
      socket.destroy()
      return
    }
    this.#silent.set(address, silent)
    this.#silentInAll++
    let counted = true
    const spoke = (): void => {
      if (!counted) return
      counted = false
      this.#silentInAll--
      const left = (this.#silent.get(address) ?? 1) - 1
      if (left === 0) this.#silent.delete(address)
      else this.#silent.set(address, left)
    }
    socket.once('close', spoke)
    this.#spoke.set(socket, spoke)
  }

  async #connect(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    this.#spoke.get(socket)?.()
    socket.on('error', () => {})
    const address = socket.remoteAddress ?? ''
    const target = /^([^:/@]{1,253}):(\d{1,5})$/.exec(request.url ?? '')
    const entry = target && this.deps.tokens.enter(target[1] ?? '', Number(target[2]), address)
    if (!entry) {
      const held = this.#told.pass(subnetOf(address))
      if (held !== null)
        this.deps.log.info(
          { address, alsoTurnedAway: held },
          'the console proxy turned a connection away',
        )
      answer(socket, '403 Forbidden')
      return
    }
    const { pass, leave } = entry
    let out = (): void => {}
    try {
      out = this.deps.tunnels.admit(
        { machineId: pass.machineId, holder: pass.holder, address, kind: 'console' },
        () => {
          socket.destroy()
        },
      )
      await this.#join(pass, socket, head, () => {
        out()
        leave()
      })
    } catch (error) {
      out()
      leave()
      this.deps.log.warn(
        { err: error, address, hypervisor: pass.hypervisor },
        'a display could not be reached for the console proxy',
      )
      answer(socket, '502 Bad Gateway')
    }
  }

  async #join(pass: Pass, socket: Socket, head: Buffer, done: () => void): Promise<void> {
    const display = await this.deps.hypervisors
      .link(pass.hypervisor)
      .openConnection(pass.displayHost, pass.port, DISPLAY_WITHIN_MS)
    if (socket.destroyed) {
      display.on('error', () => {}).destroy()
      done()
      return
    }
    socket.setNoDelay(true)
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    if (head.length > 0) display.write(head)
    carry(socket, display, done)
  }
}

/** The same few bytes for everybody. */
function answer(socket: Duplex, status: string): void {
  if (socket.writable)
    socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`, () => {
      socket.destroy()
    })
  else socket.destroy()
}
