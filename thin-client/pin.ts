import { X509Certificate } from 'node:crypto'
import { type PeerCertificate, type TLSSocket, checkServerIdentity } from 'node:tls'

/** The broker's certificate is not the expected one; the message says how, in a form that follows "The broker HOST …". */
export class PinFault extends Error {
  override readonly name = 'PinFault'
}

export interface PeerFacts {
  /** The fingerprint of the last certificate of the chain that the broker sent: `sha256:` and 64 hex digits. */
  readonly fingerprint: string
  /** That certificate signed the broker's own one (or is it). */
  readonly signed: boolean
  /** Why the broker's certificate is not for this host, or undefined if it is. */
  readonly hostFault: string | undefined
}

/**
 * Decides whether to speak to this peer. `pinned`: the fingerprint of the CA, or undefined to trust whatever comes first.
 * Dates are not looked at: a thin client whose clock lost its battery would otherwise be locked out, and the pin names one CA anyway.
 * Throws PinFault.
 */
export function judgePeer(peer: PeerFacts, pinned: string | undefined): void {
  if (pinned !== undefined && peer.fingerprint !== pinned) {
    throw new PinFault(
      `shows a certificate of another CA: expected ${pinned}, got ${peer.fingerprint}. If the broker was installed anew, set "ca=" or remove the file "ca" of the state directory`,
    )
  }
  if (!peer.signed)
    throw new PinFault(`shows a certificate that its CA (${peer.fingerprint}) did not sign`)
  if (peer.hostFault !== undefined)
    throw new PinFault(`shows a certificate that is not for this name: ${peer.hostFault}`)
}

/** Reads what judgePeer wants to know from a connected TLS socket. `host`: the name or address that was asked for. */
export function readPeer(socket: TLSSocket, host: string): PeerFacts {
  const chain: PeerCertificate = socket.getPeerCertificate(true)
  if (chain.raw === undefined) throw new PinFault('shows no certificate')
  const leaf = new X509Certificate(chain.raw)
  const ca = new X509Certificate(lastOfChain(socket.getPeerCertificate(true)).raw)
  return {
    fingerprint: `sha256:${ca.fingerprint256.replaceAll(':', '').toLowerCase()}`,
    signed: leaf.verify(ca.publicKey),
    hostFault: checkServerIdentity(host, chain)?.message,
  }
}

type Link = ReturnType<TLSSocket['getPeerCertificate']> & { issuerCertificate?: Link }

function lastOfChain(leaf: Link): Link {
  let link = leaf
  // OpenSSL lets a self-signed certificate be its own issuer; the bound guards against any other ring.
  for (
    let depth = 0;
    depth < 5 &&
    link.issuerCertificate !== undefined &&
    link.issuerCertificate.fingerprint256 !== link.fingerprint256;
    depth++
  )
    link = link.issuerCertificate
  return link
}
