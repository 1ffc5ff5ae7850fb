import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import { pino } from 'pino'
import { boundConnections } from '../../../broker/connections.js'
import { ProxyTokens } from '../../../broker/consoles/proxy-tokens.js'
import { MOST_TUNNELS, MOST_TUNNELS_OF_ONE, Tunnels } from '../../../broker/consoles/tunnels.js'
import { Seldom } from '../../../broker/seldom.js'
import { until } from '../../support/until.js'
import { openSilent, stillOpen } from './flood.js'
import { admin, type BoundRows, broker, OF_ADDRESS } from './crowded-broker.js'

/** Connections, and what they carry. */
export const CONNECTIONS: BoundRows = {
  'connections of one address': async (t) => {
    const sockets = await openSilent(broker, { count: 2 * OF_ADDRESS, from: '127.0.0.9' })
    t.equal(stillOpen(sockets), OF_ADDRESS)
    t.equal((await admin.raw('GET', '/healthz')).status, 200, 'others are served')
    for (const socket of sockets) socket.destroy()
  },
  'requests that one address has open through a trusted proxy': async (t) => {
    const sockets = await openSilent(broker, { count: OF_ADDRESS + 20, from: '127.0.0.77' })
    let refused = 0
    for (const socket of sockets) {
      socket.on('data', (answer: Buffer) => {
        if (answer.toString().startsWith('HTTP/1.1 429 ')) refused += 1
      })
      socket.write(
        'POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ' +
          '198.51.100.7\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
      )
    }
    await until(() => refused === 20, { withinMs: 10_000, what: '20 are refused' })
    t.equal(refused, 20)
    for (const socket of sockets) socket.destroy()
  },
  'connections in all': async (t) => {
    const server: Server = createServer()
    boundConnections(server, {
      mostOfAddress: 100,
      mostInAll: 40,
      isTrusted: () => false,
      log: pino({ level: 'silent' }),
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const sockets = await openSilent(broker, { count: 60, from: '127.0.0.9', plain: true, port })
    await until(() => stillOpen(sockets) === 40, { withinMs: 5_000, what: '40 are left' })
    t.equal(stillOpen(sockets), 40)
    for (const socket of sockets) socket.destroy()
    server.close()
  },
  'time of a TLS handshake': async (t) => {
    const sockets = await openSilent(broker, { count: 150, from: '127.0.0.10', plain: true })
    await until(() => stillOpen(sockets) === 0, { withinMs: 40_000, what: 'all are closed' })
    t.pass('connections without a handshake were closed')
  },
  'time until a request has come in': async (t) => {
    const sockets = await openSilent(broker, { count: 150, from: '127.0.0.11' })
    for (const socket of sockets)
      socket.write(
        'POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: ' +
          'application/json\r\nContent-Length: 100\r\n\r\n{',
      )
    for (const socket of sockets) socket.resume()
    await until(() => stillOpen(sockets) === 0, { withinMs: 60_000, what: 'all are closed' })
    t.pass('requests that did not come were ended')
  },
  'unused tickets of screens and viewers': async (t) => {
    const tokens = new ProxyTokens(() => 0)
    const holder = { kind: 'person', name: 'ann' } as const
    const pass = { machineId: 'm', hypervisor: 'hv1', displayHost: '', port: 1, address: '' }
    for (let index = 0; index < 1_000; index++) tokens.issue({ ...pass, holder })
    t.equal(tokens.size, 50)
  },
  'connections through the broker to displays and guests': async (t) => {
    const tunnels = new Tunnels(() => 0)
    const open = (name: string): void => {
      const holder = { kind: 'person', name } as const
      tunnels.admit({ machineId: 'm', holder } as Parameters<Tunnels['admit']>[0], () => {})
    }
    for (let index = 0; index < MOST_TUNNELS_OF_ONE; index++) open('ann')
    t.throws(
      () => {
        open('ann')
      },
      { code: 'too_many_connections' },
    )
    for (let index = MOST_TUNNELS_OF_ONE; index < MOST_TUNNELS; index++) open(`p${String(index)}`)
    t.throws(
      () => {
        open('ben')
      },
      { code: 'too_many_connections' },
    )
  },
  'silent connections of the console proxy': async (t) => {
    const sockets = await openSilent(broker, {
      count: 200,
      from: '127.0.0.19',
      plain: true,
      port: 18_447,
    })
    await until(() => stillOpen(sockets) <= 100, { withinMs: 3_000, what: '100 are left' })
    await until(() => stillOpen(sockets) === 0, { withinMs: 15_000, what: 'none is left' })
    t.pass('they were closed')
  },
  'log lines about refused connections': async (t) => {
    const seldom = new Seldom(60_000, () => 0)
    const passed = Array.from({ length: 1_000 }, () => seldom.pass('127.0.0.9'))
    t.equal(passed.filter((held) => held !== null).length, 1)
  },
}
