import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { pino } from 'pino'
import ssh2, { type Connection, type ServerChannel } from 'ssh2'
import type { LinkStatus } from '../../../broker/hypervisors/hypervisor.js'
import { SshLink, type LinkDeps } from '../../../broker/hypervisors/link.js'
import { fingerprintOf } from '../../../broker/hypervisors/ssh-connection.js'
import { DEFAULT_DIRECTORIES } from '../../../broker/hypervisors/store.js'

/**
 * An SSH server on loopback with a helper that says hello and answers everything with {}, and the
 * faults that a test wants of it.
 */
export class SshHost {
  readonly #connections = new Set<Connection>()
  readonly #sockets = new Set<Socket>()
  /** How many helpers were started. */
  helpers = 0
  /** Whether the n-th helper answers (from 1). */
  answers: (helper: number) => boolean = () => true
  /** Whether the n-th channel for a helper is opened at all. */
  opens: (channel: number) => boolean = () => true
  /** After so many bytes the n-th connection (from 1) is ended by the host; null: never. */
  cutAfter: (connection: number) => number | null = () => null
  #channels = 0
  accepted = 0

  private constructor(
    readonly ssh: ssh2.Server,
    readonly door: Server,
    readonly fingerprint: string,
    readonly key: string,
  ) {}

  static async start(): Promise<SshHost> {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    })
    const parsed = ssh2.utils.parseKey(privateKey)
    if (parsed instanceof Error) throw parsed
    const door = createServer()
    const host = new SshHost(
      new ssh2.Server({ hostKeys: [privateKey] }),
      door,
      fingerprintOf(parsed.getPublicSSH()),
      privateKey,
    )
    host.ssh.on('connection', (connection) => {
      host.#serve(connection)
    })
    door.on('connection', (socket) => {
      host.#carry(socket)
    })
    for (const server of [host.ssh, door]) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    }
    return host
  }

  get port(): number {
    return (this.door.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    for (const connection of this.#connections) connection.end()
    this.door.close()
    this.ssh.close()
  }

  /** A line to it, as the broker has one; libvirt answers at once. */
  open(patience: LinkDeps['patience'] = {}): { link: SshLink; statuses: LinkStatus[] } {
    const statuses: LinkStatus[] = []
    const link = new SshLink('hv1', {
      settings: () => ({
        name: 'hv1',
        address: '127.0.0.1',
        port: this.port,
        hostKeyFingerprint: this.fingerprint,
        directories: DEFAULT_DIRECTORIES,
      }),
      privateKey: this.key, // any will do
      processes: { call: async () => [], release: async () => {} },
      patience,
      log: pino({ level: 'silent' }),
      events: {
        onStatus: (status) => {
          statuses.push(status)
        },
        onEvent: () => {},
      },
    })
    return { link, statuses }
  }

  #carry(socket: Socket): void {
    const limit = this.cutAfter(++this.accepted)
    const { port } = this.ssh.address() as AddressInfo
    const inside = connect(port, '127.0.0.1')
    let left = limit ?? Number.POSITIVE_INFINITY
    for (const one of [socket, inside]) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        this.#sockets.delete(one)
        socket.destroy()
        inside.destroy()
      })
    }
    socket.pipe(inside)
    const end = (): void => {
      inside.destroy()
      socket.end()
    }
    if (left === 0) return end()
    inside.on('data', (chunk: Buffer) => {
      socket.write(chunk.subarray(0, left))
      left -= chunk.length
      if (left <= 0) end()
    })
  }

  #serve(connection: Connection): void {
    this.#connections.add(connection)
    connection.on('error', () => {})
    connection.on('close', () => {
      this.#connections.delete(connection)
    })
    connection.on('authentication', (asked) => {
      asked.accept()
    })
    connection.on('session', (accept) => {
      accept().on('exec', (acceptExec) => {
        if (this.opens(++this.#channels)) this.#help(acceptExec())
      })
    })
  }

  #help(channel: ServerChannel): void {
    const mine = ++this.helpers
    channel.write(`${JSON.stringify({ hello: 'berth-helper', protocol: 1, version: 'test' })}\n`)
    createInterface({ input: channel }).on('line', (line) => {
      const { id } = JSON.parse(line) as { id: string }
      if (this.answers(mine)) channel.write(`${JSON.stringify({ id, ok: true, result: {} })}\n`)
    })
  }
}
