import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * A server that gives back what it gets, and ends when its client has ended: what a display or a
 * guest's port is in these tests.
 */
export interface EchoServer {
  readonly port: number
  readonly sockets: Set<Socket>
  readonly connection: () => Duplex
  readonly close: () => Promise<void>
}

export async function startEcho(): Promise<EchoServer> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    sockets,
    connection: () => connect({ port, host: '127.0.0.1', allowHalfOpen: true }),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
