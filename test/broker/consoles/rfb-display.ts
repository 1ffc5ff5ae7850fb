import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** A display of 4 by 3 pixels that notes what viewers send: the types of their messages, in order. */
export interface RfbDisplay {
  readonly seen: number[][]
  readonly shared: number[]
  readonly sockets: Set<Socket>
  readonly connection: () => Duplex
  readonly close: () => Promise<void>
}

const WIDTH = 4
const HEIGHT = 3
const LENGTHS: Readonly<Record<number, (so: Buffer) => number>> = {
  0: () => 20,
  2: (so) => (so.length < 4 ? 4 : 4 + 4 * so.readUInt16BE(2)),
  3: () => 10,
  4: () => 8,
  5: () => 6,
  6: (so) => (so.length < 8 ? 8 : 8 + Math.abs(so.readInt32BE(4))),
  250: () => 4,
  251: (so) => (so.length < 8 ? 8 : 8 + 16 * so.readUInt8(6)),
  255: () => 12,
}

export async function startDisplay(): Promise<RfbDisplay> {
  const seen: number[][] = []
  const shared: number[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    void serve(socket, shared, seen).catch(() => {
      socket.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    seen,
    shared,
    sockets,
    connection: () => connect({ port, host: '127.0.0.1' }),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function serve(socket: Socket, shared: number[], seen: number[][]): Promise<void> {
  let waiting = Buffer.alloc(0)
  socket.on('data', (piece: Buffer) => {
    waiting = Buffer.concat([waiting, piece])
  })
  const take = async (bytes: number): Promise<Buffer> => {
    while (waiting.length < bytes) await once(socket, 'data')
    const taken = waiting.subarray(0, bytes)
    waiting = waiting.subarray(bytes)
    return taken
  }
  socket.write('RFB 003.008\n')
  await take(12)
  socket.write(Buffer.from([1, 1]))
  await take(1)
  socket.write(Buffer.alloc(4))
  shared.push((await take(1)).readUInt8(0))
  socket.write(serverInit())
  const types: number[] = []
  seen.push(types)
  for (;;) {
    const type = (await take(1)).readUInt8(0)
    waiting = Buffer.concat([Buffer.from([type]), waiting])
    for (let known = 1; known !== LENGTHS[type]?.(waiting);) {
      known = LENGTHS[type]?.(waiting) ?? 1
      while (waiting.length < known) await once(socket, 'data')
    }
    await take(LENGTHS[type]?.(waiting) ?? 1)
    types.push(type)
    if (type === 3) socket.write(wholeFrame())
  }
}

function serverInit(): Buffer {
  const init = Buffer.alloc(24)
  init.writeUInt16BE(WIDTH, 0)
  init.writeUInt16BE(HEIGHT, 2)
  const name = Buffer.from('pc-1')
  init.writeUInt32BE(name.length, 20)
  return Buffer.concat([init, name])
}

function wholeFrame(): Buffer {
  const head = Buffer.alloc(16)
  head.writeUInt16BE(1, 2)
  head.writeUInt16BE(WIDTH, 8)
  head.writeUInt16BE(HEIGHT, 10)
  return Buffer.concat([head, Buffer.alloc(WIDTH * HEIGHT * 4, 0x7f)])
}
