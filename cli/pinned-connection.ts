import { type TLSSocket, connect } from 'node:tls'
import {
  connectionOptions,
  faultOf,
  type IdentityFault,
  offeredPin as pinOffered,
  shownBy,
  type Trust,
} from '../broker/api/server-identity.js'
import { type BrokerAddress, showBrokerAddress, showTrust } from './broker-address.js'
import { CliError } from './cli-error.js'

const CONNECT_TIMEOUT_MS = 10_000

/** What is wrong with the chain, as a sentence for a person at a command line. */
function reasonOf({ kind, sentence, offered }: IdentityFault, trust: Trust): string {
  switch (kind) {
    case 'other-ca':
      return (
        `its certificate authority is ${offered}, pinned is ${showTrust(trust)}; if the broker ` +
        'was set up again or has another authority, run "berth login" with its new fingerprint.'
      )
    case 'not-signed':
      return 'its certificate is not signed by the authority that it shows.'
    case 'not-trusted':
      return `it ${sentence}; give the fingerprint of its authority with --ca.`
    case 'none-shown':
    case 'wrong-name':
      return `it ${sentence}.`
  }
}

/**
 * Opens TLS to the broker and looks at its certificates before a single byte is sent. Throws
 * CliError unreachable, or wrong-broker after destroying the socket.
 */
export async function openPinned(address: BrokerAddress, trust: Trust): Promise<TLSSocket> {
  const socket = await openUnverified(address, trust)
  const fault = faultOf(shownBy(socket, address.host), trust)
  if (fault === null) return socket
  socket.destroy()
  throw new CliError(
    'wrong-broker',
    `${showBrokerAddress(address)} is not trusted, nothing was sent to it: ${reasonOf(fault, trust)}`,
  )
}

/** Asks the broker for its certificate authority; gives its pin. The server's certificate was checked against it. */
export async function offeredPin(address: BrokerAddress): Promise<string> {
  const socket = await openPinned(address, null)
  const pin = pinOffered(shownBy(socket, address.host))
  socket.destroy()
  if (pin === null)
    throw new CliError('wrong-broker', `${showBrokerAddress(address)} shows no certificate.`)
  return pin
}

function openUnverified(address: BrokerAddress, trust: Trust): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...connectionOptions(address.host, trust),
      host: address.host,
      port: address.port,
      ALPNProtocols: ['http/1.1'],
    })
    const fail = (reason: string, cause?: unknown): void => {
      socket.destroy()
      reject(
        new CliError(
          'unreachable',
          `The broker ${showBrokerAddress(address)} cannot be reached (${reason}); check the ` +
            'address and that berth-broker runs.',
          [],
          { cause },
        ),
      )
    }
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => {
      fail(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`)
    })
    socket.once('error', (error: Error) => {
      fail(error.message, error)
    })
    socket.once('secureConnect', () => {
      socket.setTimeout(0)
      socket.removeAllListeners('error').removeAllListeners('timeout')
      resolve(socket)
    })
  })
}
