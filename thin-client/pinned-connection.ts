import { Agent, type ClientRequestArgs } from 'node:http'
import { Duplex } from 'node:stream'
import { type TLSSocket, connect } from 'node:tls'
import {
  connectionOptions,
  faultOf,
  offeredPin,
  shownBy,
  type Trust,
} from '../broker/api/server-identity.js'
import type { BrokerAddress } from './broker-address.js'

/** TCP and TLS together; a broker that does not answer the handshake is as good as away. */
export const CONNECT_TIMEOUT_MS = 10_000
const KEEP_ALIVE_PROBE_MS = 20_000

export interface PinKeeper {
  /** Whom to insist on; null while nothing is known. */
  trusted: () => Trust
  /** Called once with the fingerprint of the first broker seen, before anything is sent to it. */
  trust: (fingerprint: string) => void
}

/**
 * Opens a connection over which nothing is sent before the peer was judged; gives a socket that is
 * ready, or throws with a reason.
 */
export function connectPinned(broker: BrokerAddress, pins: PinKeeper): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...connectionOptions(broker.host, pins.trusted()),
      host: broker.host,
      port: broker.port,
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
        trustPeer(socket, broker, pins)
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

/** Throws with the reason why this is not the broker; the message follows "The broker HOST". */
function trustPeer(socket: TLSSocket, broker: BrokerAddress, pins: PinKeeper): void {
  const shown = shownBy(socket, broker.host)
  const trust = pins.trusted()
  const fault = faultOf(shown, trust)
  if (fault !== null)
    throw new Error(
      fault.kind === 'other-ca'
        ? `${fault.sentence}. If the broker was reinstalled or has another CA, set "ca=" or ` +
            'remove the file "ca" of the state directory'
        : fault.sentence,
    )
  const pin = offeredPin(shown)
  if (trust === null && pin !== null) pins.trust(pin)
}

/**
 * An HTTP agent whose connections are pinned TLS. It keeps them open: ten thousand devices that ask
 * each minute must not shake hands each time.
 */
export class PinnedAgent extends Agent {
  /** `keepAlive` false: each question has a connection of its own. */
  constructor(
    private readonly broker: BrokerAddress,
    private readonly pins: PinKeeper,
    keepAlive = true,
  ) {
    super({ keepAlive, maxSockets: 4, maxFreeSockets: 1 })
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
