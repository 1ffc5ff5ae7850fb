import { X509Certificate } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import { pinOf } from '../api/server-identity.js'

/** A chain as it is sent: the server's own certificate first, each followed by its issuer. */
export interface ServerChain {
  readonly pem: string
  /** It ends with a root, so a client that pins this one outlives a change of the certificates between. */
  readonly complete: boolean
  /** Of its last certificate: what clients pin. */
  readonly fingerprint: string
  readonly expiresAt: Date
}

/** More links than any CA has. */
const LONGEST = 10

/**
 * Puts a chain in order and completes it by the roots that this system knows: clients pin its end,
 * and that must not be an intermediate certificate, which a CA changes from one renewal to the
 * next. `known`: further certificates that may continue it. Throws when the text holds no
 * certificate.
 */
export function chainOf(text: string, known: readonly string[] = rootCertificates): ServerChain {
  const [leaf, ...sent] = certificatesIn(text)
  if (!leaf) throw new Error('there is no certificate in it')
  const chain = [leaf]
  for (let last = leaf; !isRoot(last) && chain.length < LONGEST;) {
    const issuer = issuerOf(last, sent) ?? issuerIn(last, known)
    if (!issuer) break
    chain.push(issuer)
    last = issuer
  }
  const last = chain.at(-1) ?? leaf
  return {
    pem: chain.map(String).join(''),
    complete: isRoot(last),
    fingerprint: pinOf(last),
    expiresAt: new Date(leaf.validTo),
  }
}

function certificatesIn(text: string): X509Certificate[] {
  return (text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (pem) => new X509Certificate(pem),
  )
}

function issuerOf(
  certificate: X509Certificate,
  candidates: readonly X509Certificate[],
): X509Certificate | undefined {
  return candidates.find((one) => certificate.checkIssued(one) && certificate.verify(one.publicKey))
}

/** Looks at one after another, since there may be hundreds. */
function issuerIn(
  certificate: X509Certificate,
  known: readonly string[],
): X509Certificate | undefined {
  for (const pem of known) {
    const found = issuerOf(certificate, [new X509Certificate(pem)])
    if (found) return found
  }
  return undefined
}

function isRoot(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate)
}
