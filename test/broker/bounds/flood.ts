import { once } from 'node:events'
import { Agent, request } from 'node:https'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import type { BrokerProcess } from '../../support/broker-process.js'

export interface Flood {
  readonly method?: string
  readonly path: string
  /** Of each request by its number. */
  readonly body?: (index: number) => unknown
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** One of 127.0.0.0/8. */
  readonly from?: string
  readonly count: number
  readonly atOnce?: number
  /** An answer that does not end is left after this time. */
  readonly leaveAfterMs?: number
}

/**
 * Sends so many requests, some at once, and gives how often each status came. Connections that are
 * refused count as 0.
 */
export async function flood(broker: BrokerProcess, flood: Flood): Promise<Map<number, number>> {
  const { count, atOnce = 16 } = flood
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce, ca: broker.ca })
  const statuses = new Map<number, number>()
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const status = await sendOne(broker, agent, flood, next++)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  agent.destroy()
  return statuses
}

async function sendOne(
  broker: BrokerProcess,
  agent: Agent,
  {
    method = 'GET',
    path,
    body,
    token = null,
    headers = {},
    from = '127.0.0.1',
    leaveAfterMs,
  }: Flood,
  index: number,
): Promise<number> {
  const text = body === undefined ? undefined : JSON.stringify(body(index))
  return await new Promise((resolve) => {
    const sent = request(
      `${broker.url}${path}`,
      {
        method,
        agent,
        localAddress: from,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          ...headers,
        },
      },
      (response) => {
        response.resume()
        response.on('error', () => {}) // it was left
        if (leaveAfterMs !== undefined) setTimeout(() => response.destroy(), leaveAfterMs)
        response.on('close', () => {
          resolve(response.statusCode ?? 0)
        })
      },
    )
    sent.on('error', () => {
      resolve(0)
    })
    sent.end(text)
  })
}

/** Opens so many connections that say nothing. With TLS or, `plain`, not even that. */
export async function openSilent(
  broker: BrokerProcess,
  { count, from, plain = false, port = broker.port }: SilentOnes,
): Promise<Array<Socket | TLSSocket>> {
  const sockets = Array.from({ length: count }, () => {
    const socket = connectPlain({ port, host: '127.0.0.1', localAddress: from })
    socket.on('error', () => {})
    if (plain) return socket
    return connect({ socket, ca: broker.ca, servername: 'localhost' }).on('error', () => {})
  })
  for (const socket of sockets) socket.resume() // or its end is not noticed
  await Promise.all(
    sockets.map(async (socket) => {
      await Promise.race([
        once(socket, plain ? 'connect' : 'secureConnect').catch(() => {}),
        once(socket, 'close').catch(() => {}),
      ])
    }),
  )
  return sockets
}

export interface SilentOnes {
  readonly count: number
  readonly from: string
  readonly plain?: boolean
  readonly port?: number
}

export function stillOpen(sockets: ReadonlyArray<Socket>): number {
  return sockets.filter((socket) => !socket.closed && !socket.destroyed).length
}
