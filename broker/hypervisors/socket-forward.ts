import { once } from 'node:events'
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from 'ssh2'
import { openSocket } from './ssh-connection.js'

const LIBVIRT_SOCKET = '/var/run/libvirt/libvirt-sock'
const PREFIX = 'berth-libvirt-'

/**
 * Removes what brokers of this user left that were killed: directories on whose socket nobody
 * listens. Those of a living broker stay.
 */
export async function removeOrphanedSockets(): Promise<void> {
  for (const name of (await readdir(tmpdir())).filter((one) => one.startsWith(PREFIX))) {
    const directory = join(tmpdir(), name)
    const found = await lstat(directory).catch(() => null)
    if (!found?.isDirectory() || found.uid !== process.getuid?.()) continue
    if (await nobodyListens(join(directory, 'libvirt')))
      await rm(directory, { recursive: true, force: true })
  }
}

async function nobodyListens(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' // not ENOENT: a broker may be about to listen
  } finally {
    socket.destroy()
  }
}

/** A local unix socket, for this user alone, whose connections end in the host's libvirt socket. */
export class SocketForward {
  readonly #sockets = new Set<Socket>()

  private constructor(
    readonly server: Server,
    readonly directory: string,
  ) {}

  static async open(ssh: Client): Promise<SocketForward> {
    // mode 0700; a short path, since a socket's may have 107 bytes
    const directory = await mkdtemp(join(tmpdir(), PREFIX))
    const forward = new SocketForward(createServer(), directory)
    forward.server.on('connection', (socket) => {
      forward.#serve(ssh, socket)
    })
    forward.server.listen(join(directory, 'libvirt'))
    forward.server.unref()
    await once(forward.server, 'listening')
    return forward
  }

  /** https://libvirt.org/uri.html#qemu-qemu-system-and-qemu-session */
  get libvirtUri(): string {
    return `qemu+unix:///system?socket=${join(this.directory, 'libvirt')}`
  }

  /** Ends the connections of now; a call that hangs in one of them returns with an error. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.server.close()
    this.cut()
    await rm(this.directory, { recursive: true, force: true })
  }

  #serve(ssh: Client, socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
    })
    openSocket(ssh, LIBVIRT_SOCKET).then(
      (channel) => {
        channel.on('error', () => {
          socket.destroy()
        })
        channel.on('close', () => {
          socket.destroy()
        })
        socket.on('close', () => {
          channel.destroy()
        })
        socket.pipe(channel).pipe(socket)
      },
      () => {
        socket.destroy()
      },
    )
  }
}
