import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { SpiceConsole } from '../../../broker/api/machines.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { type EchoServer, startEcho } from './echo.js'
import { freePort } from '../../support/free-port.js'

const opened = new Set<Socket>()
t.teardown(() => {
  for (const socket of opened) socket.destroy()
})

/** What is sent without a token, and what everybody gets for it. */
export const TURNED_AWAY =
  'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'

interface Stage {
  readonly broker: SimulatedBroker
  readonly port: number
  readonly echo: EchoServer
  readonly log: () => string
}

/** The running machine pc-1, whose display listens on its host's loopback and gives back what it gets. */
export async function stage(t: Test): Promise<Stage> {
  const port = await freePort()
  const echo = await startEcho()
  const written: string[] = []
  const sink = new PassThrough().on('data', (line: Buffer) => {
    written.push(line.toString())
  })
  const broker = await SimulatedBroker.start({
    config: { consoleProxyPort: port, listenAddress: '0.0.0.0' },
    log: pino({ level: 'debug' }, sink),
  })
  t.teardown(async () => {
    await broker.remove()
    await echo.close()
  })
  await broker.addHypervisors()
  broker.host().listen = '127.0.0.1'
  broker.host().onConnection = (host, wanted) =>
    host === '127.0.0.1' && wanted === 5901 ? echo.connection() : null
  await broker.admin.done('/machines', {
    name: 'pc-1',
    type: 'simple',
    hypervisors: ['hv1'],
    memoryMib: 64,
    diskGib: 1,
  })
  await broker.admin.done('/machines/pc-1/power', { action: 'start' })
  return { broker, port, echo, log: () => written.join('') }
}

export const console = async (broker: SimulatedBroker, body: object = {}): Promise<SpiceConsole> =>
  await broker.admin.post<SpiceConsole>('/machines/pc-1/console', body)
export const request = (target: string, method = 'CONNECT'): string =>
  `${method} ${target} HTTP/1.0\r\nHost: ${target}\r\nProxy-Connection: keep-alive\r\nUser-Agent: GLib/2.74\r\n\r\n`

/** Says something and gives all that comes until the end. */
export async function say(
  port: number,
  text: string | Buffer,
  from = '127.0.0.1',
): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  socket.on('error', () => {})
  let heard = ''
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString()
  })
  socket.write(text)
  await once(socket, 'close')
  return heard
}

/** Opens a tunnel; throws with what it was told instead. */
export async function tunnel(port: number, target: string, first = ''): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  opened.add(socket)
  socket.on('error', () => {})
  socket.write(request(target) + first)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  if (!answer.toString().startsWith('HTTP/1.1 200')) throw new Error(answer.toString())
  const rest = answer.toString().split('\r\n\r\n')[1] ?? ''
  if (rest !== '') socket.unshift(Buffer.from(rest))
  return socket
}
