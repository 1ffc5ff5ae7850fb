import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { setTimeout as delay } from 'node:timers/promises'
import { ROOT } from '../test/support/broker-process.js'
import { memoryOf } from './processes.js'
import { inTurn } from './simulated-place.js'

/** Until what the last handshakes left behind is collected, as far as it will be. */
const SETTLE_MS = 5_000

export interface BareOptions {
  readonly count: number
  readonly keyFile: string
  readonly certificateFile: string
  readonly localAddressOf: (number: number) => string
}

/** Bytes (Rss) of a server of Node alone that holds so many requests over TLS, each on a connection of its own. */
export async function memoryOfBareConnections(options: BareOptions): Promise<number> {
  const { count, keyFile, certificateFile, localAddressOf } = options
  const server = fork(join(ROOT, 'dist/bench/bare-server.js'), [keyFile, certificateFile])
  // It is measured how much is held, not whom it is held for.
  const agent = new Agent({ keepAlive: true, maxSockets: count, rejectUnauthorized: false })
  try {
    const [port] = (await once(server, 'message')) as [number]
    const numbers = Array.from({ length: count }, (_, number) => number)
    await inTurn(numbers, async (number) => {
      const body = JSON.stringify({ macs: [String(number)], hostname: `desk-${number}` })
      const sent = request({
        port,
        host: '127.0.0.1',
        method: 'POST',
        agent,
        localAddress: localAddressOf(number),
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      })
      sent.on('error', () => {}) // the server ends with the measurement
      sent.end(body)
      const [socket] = (await once(sent, 'socket')) as [TLSSocket]
      await once(socket, 'secureConnect')
    })
    await delay(SETTLE_MS)
    return memoryOf(server.pid ?? 0).rssBytes
  } finally {
    agent.destroy()
    server.kill()
    await once(server, 'exit')
  }
}
