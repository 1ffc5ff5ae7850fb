import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import {
  type DetailedPeerCertificate,
  type TLSSocket,
  checkServerIdentity,
  connect,
} from 'node:tls'
import { type BrokerAddress, pinOf, showBrokerAddress } from './broker-address.js'
import { CliError } from './cli-error.js'

const CONNECT_TIMEOUT_MS = 10_000

/**
 * Opens TLS to the broker and looks at its certificates before a single byte is sent. With `pin` null any authority is taken, which is only
 * for showing it to a person. Dates are not looked at: a clock may be wrong, the pin is not.
 * Throws CliError unreachable, or wrong-broker after destroying the socket.
 */
export async function openPinned(address: BrokerAddress, pin: string | null): Promise<TLSSocket> {
  const socket = await openUnverified(address)
  const fault = faultOfChain(chainOf(socket), address.host, pin)
  if (fault === null) return socket
  socket.destroy()
  throw new CliError(
    'wrong-broker',
    `${showBrokerAddress(address)} is not trusted, nothing was sent to it: ${fault}`,
  )
}

/** Asks the broker for its certificate authority; gives its pin. The server's certificate was checked against it. */
export async function offeredPin(address: BrokerAddress): Promise<string> {
  const socket = await openPinned(address, null)
  const authority = chainOf(socket).at(-1)
  socket.destroy()
  if (authority === undefined)
    throw new CliError('wrong-broker', `${showBrokerAddress(address)} shows no certificate.`)
  return pinOf(new X509Certificate(authority.raw))
}

function openUnverified(address: BrokerAddress): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const servername = isIP(address.host) === 0 ? { servername: address.host } : {}
    const socket = connect({
      host: address.host,
      port: address.port,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      ...servername,
    })
    const fail = (reason: string, cause?: unknown): void => {
      socket.destroy()
      reject(
        new CliError(
          'unreachable',
          `The broker ${showBrokerAddress(address)} cannot be reached (${reason}); check the address and that berth-broker runs.`,
          [],
          { cause },
        ),
      )
    }
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => {
      fail(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`)
    })
    socket.once('error', (error) => {
      fail(error.message, error)
    })
    socket.once('secureConnect', () => {
      socket.setTimeout(0)
      socket.removeAllListeners('error').removeAllListeners('timeout')
      resolve(socket)
    })
  })
}

/** The certificates that the server sent, its own first, each followed by its issuer. */
function chainOf(socket: TLSSocket): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = []
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (
    next?.raw !== undefined &&
    !chain.some((seen) => seen.fingerprint256 === next?.fingerprint256)
  ) {
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}

/** Gives what is wrong with the chain, or null: the last certificate is the pinned one, each is signed by the next, and the first names the host. */
export function faultOfChain(
  chain: readonly DetailedPeerCertificate[],
  host: string,
  pin: string | null,
): string | null {
  const [leaf, last] = [chain.at(0), chain.at(-1)]
  if (leaf === undefined || last === undefined) return 'it shows no certificate.'
  const authority = new X509Certificate(last.raw)
  const offered = pinOf(authority)
  if (pin !== null && offered !== pin)
    return `its certificate authority is ${offered}, pinned is ${pin}; if the broker was set up anew, run "berth login" with its new fingerprint.`
  if (!isSigned(chain.map((certificate) => new X509Certificate(certificate.raw))))
    return 'its certificate is not signed by the authority that it shows.'
  return checkServerIdentity(host, leaf)?.message ?? null
}

/** A certificate that is not an authority's must not sign: otherwise whoever has any certificate of that authority could make one for every host. */
function isSigned(chain: readonly X509Certificate[]): boolean {
  return chain.slice(0, -1).every((certificate, index) => {
    const issuer = chain[index + 1]
    return issuer !== undefined && issuer.ca && certificate.verify(issuer.publicKey)
  })
}
