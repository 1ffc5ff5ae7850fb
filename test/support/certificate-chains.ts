import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const LONG_AGO = new Date('2020-01-01')
const LATER = new Date('2049-01-01')

/** A CA, or a server, with its certificate and key. `pem`: its own certificate alone. */
export interface Certified {
  readonly pem: string
  readonly key: string
  readonly name: string
  readonly keys: webcrypto.CryptoKeyPair
}

export interface Wanted {
  readonly by?: Certified
  readonly notAfter?: Date
  /** The key of somebody else signs in the name of `by`. */
  readonly forgedBy?: Certified
}

/** A root, or with `by` an intermediate CA. */
export async function authority(name: string, wanted: Wanted = {}): Promise<Certified> {
  return await certify(name, wanted, [new x509.BasicConstraintsExtension(true, undefined, true)])
}

/** A server's certificate for these names; without `by` it is self-signed. */
export async function serverFor(names: readonly string[], wanted: Wanted = {}): Promise<Certified> {
  return await certify('server', wanted, [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.SubjectAlternativeNameExtension(
      names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
    ),
  ])
}

async function certify(
  name: string,
  { by, notAfter = LATER, forgedBy }: Wanted,
  extensions: x509.Extension[],
): Promise<Certified> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex'),
      subject: `CN=${name}`,
      issuer: `CN=${by?.name ?? name}`,
      notBefore: LONG_AGO,
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: (forgedBy ?? by)?.keys.privateKey ?? keys.privateKey,
      extensions,
    },
    webcrypto,
  )
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  return {
    name,
    keys,
    pem: `${certificate.toString('pem')}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`,
  }
}
