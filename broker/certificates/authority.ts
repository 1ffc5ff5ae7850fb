import 'reflect-metadata'
import { createHash, webcrypto, X509Certificate as NodeCertificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import { writePrivate } from '../store/private-file.js'

x509.cryptoProvider.set(webcrypto)

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
/**
 * Valid since 1970: a thin client whose clock has lost its battery must not refuse us. The end is
 * before 2050, since ASN.1 writes later years in another form.
 */
const NOT_BEFORE = new Date('1970-01-01T00:00:01Z')
const NOT_AFTER = new Date('2049-12-31T23:59:59Z')

export interface Pair {
  readonly certificate: string
  readonly key: string
}

/** The broker's own CA: signs the HTTPS certificate and the SPICE certificates of the hypervisors. */
export class Authority {
  private constructor(
    readonly certificate: string,
    readonly key: webcrypto.CryptoKey,
    readonly parsed: x509.X509Certificate,
  ) {}

  /**
   * Reads `ca.pem` and `ca-key.pem` from the directory and proves that the key signs for the
   * certificate; makes both at the first start. A pair that fails is replaced while nobody trusts
   * it (`isTrusted` says no). Throws for one that is trusted, and says what to do.
   */
  static async open(
    directory: string,
    isTrusted: () => Promise<boolean> = async () => false,
  ): Promise<Authority> {
    const [certificateFile, keyFile] = [join(directory, 'ca.pem'), join(directory, 'ca-key.pem')]
    if (existsSync(certificateFile) || existsSync(keyFile)) {
      try {
        return await Authority.#read(certificateFile, keyFile)
      } catch (error) {
        if (await isTrusted()) throw unusable(certificateFile, error)
      }
    }
    const made = await Authority.#make()
    writePrivate(keyFile, await exportKey(made.key))
    writePrivate(certificateFile, made.certificate)
    return await Authority.#read(certificateFile, keyFile)
  }

  static async #read(certificateFile: string, keyFile: string): Promise<Authority> {
    const certificate = readFileSync(certificateFile, 'utf8').trim()
    const key = await importKey(readFileSync(keyFile, 'utf8'))
    const parsed = new x509.X509Certificate(certificate)
    const challenge = webcrypto.getRandomValues(new Uint8Array(32))
    const signature = await crypto().sign(ALGORITHM, key, challenge)
    const isPair = await crypto().verify(
      ALGORITHM,
      await parsed.publicKey.export(ALGORITHM, ['verify']),
      signature,
      challenge,
    )
    if (!isPair) throw new Error('ca-key.pem is not the key of ca.pem')
    if (!new NodeCertificate(certificate).ca)
      throw new Error('ca.pem is not the certificate of a CA')
    return new Authority(certificate, key, parsed)
  }

  static async #make(): Promise<{ certificate: string; key: webcrypto.CryptoKey }> {
    const keys = await crypto().generateKey(ALGORITHM, true, ['sign', 'verify'])
    const made = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'O=Berth,CN=Berth CA',
      notBefore: NOT_BEFORE,
      notAfter: NOT_AFTER,
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
      ],
    })
    return { certificate: `${made.toString('pem')}\n`, key: keys.privateKey }
  }

  /** `sha256:` and 64 hex digits over the certificate's DER; what CLI and thin clients pin. */
  get fingerprint(): string {
    return fingerprintOfPem(this.certificate)
  }

  /** A server certificate with a new key for these names and addresses. */
  async issueServer(names: readonly string[]): Promise<Pair> {
    const keys = await crypto().generateKey(ALGORITHM, true, ['sign', 'verify'])
    const certificate = await this.#sign(
      `CN=${escapeName(names[0] ?? 'berth')}`,
      keys.publicKey,
      names,
    )
    return { certificate, key: await exportKey(keys.privateKey) }
  }

  /** Signs a hypervisor's request; only its public key is taken from it. Gives the certificate as PEM. */
  async signSpice(csrPem: string, commonName: string, names: readonly string[]): Promise<string> {
    const request = new x509.Pkcs10CertificateRequest(csrPem)
    if (!(await request.verify()))
      throw new Error('the certificate request is not signed by its own key')
    return await this.#sign(spiceSubject(commonName), await request.publicKey.export(), names)
  }

  async #sign(
    subject: string,
    publicKey: webcrypto.CryptoKey,
    names: readonly string[],
  ): Promise<string> {
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: this.parsed.subject,
      notBefore: NOT_BEFORE,
      notAfter: NOT_AFTER,
      signingAlgorithm: ALGORITHM,
      publicKey,
      signingKey: this.key,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
          true,
        ),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value })),
        ),
      ],
    })
    return `${certificate.toString('pem')}\n`
  }
}

/** The subject of a hypervisor's SPICE certificate in the form of the .vv key `host-subject`. */
export function spiceSubject(hypervisor: string): string {
  return `O=Berth,CN=${escapeName(hypervisor)}`
}

export function fingerprintOfPem(pem: string): string {
  return `sha256:${createHash('sha256').update(new NodeCertificate(pem).raw).digest('hex')}`
}

/** `sha256//BASE64` over the public key, for curl's --pinnedpubkey. */
export function curlPin(certificatePem: string): string {
  const spki = new NodeCertificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' })
  return `sha256//${createHash('sha256').update(spki).digest('base64')}`
}

function unusable(certificateFile: string, cause: unknown): BrokerError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return refusal('authority_unusable', { path: certificateFile, said: why }, { cause })
}

function escapeName(name: string): string {
  return name.replace(/[,+"\\<>;=]/g, '')
}
function crypto(): webcrypto.SubtleCrypto {
  return webcrypto.subtle
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await crypto().exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = x509.PemConverter.decode(pem)
  if (!der) throw new Error('ca-key.pem holds no key')
  return await crypto().importKey('pkcs8', der, ALGORITHM, true, ['sign'])
}
