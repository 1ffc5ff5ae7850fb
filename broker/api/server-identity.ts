import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import {
  checkServerIdentity,
  type ConnectionOptions,
  createSecureContext,
  type DetailedPeerCertificate,
  rootCertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'

/**
 * Whom a client of the broker trusts. A pin is the SHA-256 fingerprint of any certificate of its
 * chain: of its CA (or root) as a rule; several while a CA is exchanged. `system`: the CAs that the
 * client's own system trusts, with their dates. null: whoever answers, only to show a person the
 * fingerprint.
 */
export type Trust = readonly string[] | 'system' | null

/** What a peer has shown; `systemFault`: why the system's own CAs do not vouch for it, null when they do. */
export interface ShownIdentity {
  /** The server's own certificate first, each followed by its issuer, as far as it was sent or the system knows it. */
  readonly chain: readonly X509Certificate[]
  readonly nameFault: string | null
  readonly systemFault: string | null
}

/** Why a peer is not spoken to, in a form that follows "it"; `kind` says it to programs. */
export interface IdentityFault {
  readonly kind: 'none-shown' | 'other-ca' | 'not-signed' | 'wrong-name' | 'not-trusted'
  readonly sentence: string
  /** What it has shown could be pinned as this. */
  readonly offered: string
}

/** More links than any CA has; a ring must not be followed for ever. */
const LONGEST_CHAIN = 10

/**
 * Where systems keep the CAs that they trust (Debian; Fedora and its kin). Node has a list of its
 * own, which knows no company's CA.
 */
const SYSTEM_BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt']
let systemContext: { readonly of: string; readonly context: SecureContext } | undefined

/**
 * Options of a TLS connection on which `faultOf` decides; nothing may be sent before. Node's own
 * check would not know a pin, and would look at dates.
 */
export function connectionOptions(host: string, trust: Trust): ConnectionOptions {
  return {
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(trust === 'system' ? { secureContext: contextOfSystem() } : {}),
  }
}

/** Made again when the system's list has changed. */
function contextOfSystem(): SecureContext {
  const path = [process.env['SSL_CERT_FILE'], ...SYSTEM_BUNDLES].find(
    (one) => one !== undefined && existsSync(one),
  )
  const of = path === undefined ? '' : `${path} ${statSync(path).mtimeMs}`
  if (systemContext?.of !== of)
    systemContext = {
      of,
      context: createSecureContext({
        minVersion: 'TLSv1.2',
        ca: path === undefined ? [...rootCertificates] : readFileSync(path, 'utf8'),
      }),
    }
  return systemContext.context
}

/** Reads what the peer has shown, after the handshake. `host`: the name or address that was asked for. */
export function shownBy(socket: TLSSocket, host: string): ShownIdentity {
  const leaf: DetailedPeerCertificate = socket.getPeerCertificate(true)
  const chain: X509Certificate[] = []
  let next: DetailedPeerCertificate | undefined = leaf
  while (next?.raw !== undefined && chain.length < LONGEST_CHAIN) {
    const certificate = new X509Certificate(next.raw)
    if (chain.some(({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256)) break
    chain.push(certificate)
    next = next.issuerCertificate
  }
  return {
    chain,
    nameFault: chain.length === 0 ? null : (checkServerIdentity(host, leaf)?.message ?? null),
    systemFault: socket.authorized ? null : reasonOf(socket.authorizationError),
  }
}

/**
 * Why this peer is not the broker, or null. Pinned: each certificate up to the pinned one is signed
 * by the next, which is a CA's; what comes after it does not matter, so a CA may be signed again by
 * another. Dates are not looked at then: a thin client whose clock has lost its battery would be
 * locked out, and a pin names one CA whatever the time. Pure.
 */
export function faultOf(shown: ShownIdentity, trust: Trust): IdentityFault | null {
  const { chain, nameFault, systemFault } = shown
  const last = chain.at(-1)
  const offered = offeredPin(shown) ?? ''
  const fault = (kind: IdentityFault['kind'], sentence: string): IdentityFault => ({
    kind,
    sentence,
    offered,
  })
  if (last === undefined) return fault('none-shown', 'shows no certificate')
  if (trust === 'system') {
    if (nameFault === null && systemFault !== null)
      return fault(
        'not-trusted',
        `shows a certificate that this system does not trust (${systemFault})`,
      )
  } else {
    const pinned = trust === null ? last : chain.find((one) => trust.includes(pinOf(one)))
    if (pinned === undefined)
      return fault(
        'other-ca',
        `shows a certificate of another CA: expected ${(trust ?? []).join(' or ')}, got ${offered}`,
      )
    if (!isSignedUpTo(chain, chain.indexOf(pinned)))
      return fault('not-signed', `shows a certificate that its CA (${pinOf(pinned)}) did not sign`)
  }
  return nameFault === null
    ? null
    : fault('wrong-name', `shows a certificate that is not for this name: ${nameFault}`)
}

/**
 * The certificate that a person is shown, and that is pinned when they agree: the last one that is
 * known of the chain.
 */
export function offeredPin({ chain }: ShownIdentity): string | null {
  const last = chain.at(-1)
  return last === undefined ? null : pinOf(last)
}

/** `sha256:` and 64 hex digits over the certificate. */
export function pinOf(certificate: X509Certificate): string {
  return `sha256:${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`
}

/**
 * A certificate that is no CA's must not sign: otherwise whoever has any certificate of that CA
 * could make one for every host.
 */
function isSignedUpTo(chain: readonly X509Certificate[], end: number): boolean {
  return chain.slice(0, end).every((certificate, index) => {
    const issuer = chain[index + 1]
    return (
      issuer !== undefined &&
      issuer.ca &&
      certificate.checkIssued(issuer) &&
      certificate.verify(issuer.publicKey)
    )
  })
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
