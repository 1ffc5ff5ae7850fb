import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { X509Certificate, webcrypto } from 'node:crypto'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export interface TestAuthority {
  readonly pin: string
  readonly pem: string
  readonly issue: (
    names: readonly string[],
    by?: webcrypto.CryptoKeyPair,
  ) => Promise<ServerCertificate>
  readonly keys: webcrypto.CryptoKeyPair
}
/** `chain`: the server's certificate and that of its authority, PEM. */
export interface ServerCertificate {
  readonly chain: string
  readonly key: string
}

/**
 * An authority like the broker's. What it issues has expired in 1971: a pin does not look at
 * clocks, and the client must not either.
 */
export async function makeAuthority(name: string): Promise<TestAuthority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const authority = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: '01',
      name: `CN=${name}`,
      notBefore: new Date(0),
      notAfter: new Date('2100-01-01'),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
    },
    webcrypto,
  )
  const pem = authority.toString('pem')
  const pin = `sha256:${new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()}`
  return { pin, pem, keys, issue: async (names, by = keys) => await issue(authority, names, by) }
}

async function issue(
  authority: x509.X509Certificate,
  names: readonly string[],
  signer: webcrypto.CryptoKeyPair,
): Promise<ServerCertificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const alternatives = names.map((name) => ({
    type: /^[0-9.]+$/.test(name) ? ('ip' as const) : ('dns' as const),
    value: name,
  }))
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: '02',
      subject: 'CN=broker',
      issuer: authority.subject,
      notBefore: new Date('1970-06-01'),
      notAfter: new Date('1971-01-01'),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: signer.privateKey,
      extensions: [new x509.SubjectAlternativeNameExtension(alternatives)],
    },
    webcrypto,
  )
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString(
    'base64',
  )
  return {
    chain: `${certificate.toString('pem')}\n${authority.toString('pem')}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`,
  }
}
