import { Agent, type ClientRequestArgs } from 'node:http'
import { isIP } from 'node:net'
import { Duplex } from 'node:stream'
import { type TLSSocket, connect } from 'node:tls'
import type { BrokerAddress } from './broker-address.js'
import { judgePeer, readPeer } from './pin.js'

/** TCP and TLS together; a broker that does not answer the handshake is as good as away. */
export const CONNECT_TIMEOUT_MS = 10_000
const KEEP_ALIVE_PROBE_MS = 20_000

export interface PinKeeper {
  /** The fingerprint to insist on; undefined while nothing is known. */
  pinned: () => string | undefined
  /** Called once with the fingerprint of the first broker seen, before anything is sent to it. */
  trust: (fingerprint: string) => void
}

/** Opens a connection over which nothing is sent before the peer was judged; gives a socket that is ready, or throws with a reason. */
export function connectPinned(broker: BrokerAddress, pins: PinKeeper): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    // Node's own check would compare dates and the system's CAs; judgePeer replaces it.
    const socket = connect({
      host: broker.host,
      port: broker.port,
      servername: isIP(broker.host) === 0 ? broker.host : '',
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
    })
    const fail = (error: Error): void => {
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(
      () => fail(new Error(`does not answer within ${CONNECT_TIMEOUT_MS / 1000} s`)),
      CONNECT_TIMEOUT_MS,
    )
    socket.once('error', fail)
    socket.once('close', () => fail(new Error('closed the connection')))
    socket.once('secureConnect', () => {
      try {
        const peer = readPeer(socket, broker.host)
        judgePeer(peer, pins.pinned())
        if (pins.pinned() === undefined) pins.trust(peer.fingerprint)
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)))
        return
      }
      clearTimeout(timer)
      socket.removeAllListeners('error').removeAllListeners('close')
      socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS)
      resolve(socket)
    })
  })
}

/** An HTTP agent whose connections are pinned TLS. It keeps them open: ten thousand devices that ask each minute must not shake hands each time. */
export class PinnedAgent extends Agent {
  constructor(
    private readonly broker: BrokerAddress,
    private readonly pins: PinKeeper,
  ) {
    super({ keepAlive: true, maxSockets: 4, maxFreeSockets: 1 })
  }

  /** Called by node:http, which waits for the callback when nothing is returned. */
  override createConnection(
    _options: ClientRequestArgs,
    ready?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    // On an error node:http does not look at the socket.
    connectPinned(this.broker, this.pins).then(
      (socket) => ready?.(null, socket),
      (error: Error) => ready?.(error, new Duplex()),
    )
    return undefined
  }
}
