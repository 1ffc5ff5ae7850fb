import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'
import { type Config, dataFile } from '../config.js'
import { writePrivate } from '../store/private-file.js'
import { refusal } from '../errors/broker-error.js'
import type { Authority } from './authority.js'

/**
 * The HTTPS certificate: the configured one, or one of the broker's CA for its public names, made
 * again when these change. The chain ends with the CA.
 */
export async function serverCertificate(
  config: Config,
  authority: Authority,
): Promise<{ key: string; cert: string }> {
  if (config.tls) return configured(config.tls)
  const [certificateFile, keyFile] = [
    dataFile(config, 'server.pem'),
    dataFile(config, 'server-key.pem'),
  ]
  const names = [...new Set([...config.publicNames, 'localhost', '127.0.0.1', '::1'])]
  if (existsSync(certificateFile) && existsSync(keyFile)) {
    const [cert, key] = [readFileSync(certificateFile, 'utf8'), readFileSync(keyFile, 'utf8')]
    if (isUsable(cert, key) && covers(cert, authority, names))
      return { key, cert: `${cert}${authority.certificate}` }
  }
  const issued = await authority.issueServer(names)
  writePrivate(keyFile, issued.key)
  writePrivate(certificateFile, issued.certificate)
  return { key: issued.key, cert: `${issued.certificate}${authority.certificate}` }
}

/** Reads the site's own certificate. Throws when the server could not use it. */
function configured(files: { key: string; certificate: string }): { key: string; cert: string } {
  const [key, cert] = [readFileSync(files.key, 'utf8'), readFileSync(files.certificate, 'utf8')]
  try {
    prove(cert, key)
  } catch (error) {
    throw refusal(
      'certificate_unusable',
      { certificate: files.certificate, key: files.key, said: (error as Error).message },
      { cause: error },
    )
  }
  return { key, cert }
}

/**
 * Throws when a server could not use the two together. OpenSSL takes an empty text for none, so
 * each is read by itself first.
 */
function prove(cert: string, key: string): void {
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw new Error('the key is not the one of the certificate')
  createSecureContext({ key, cert })
}

/** Whether a server could use the two together. */
function isUsable(cert: string, key: string): boolean {
  try {
    prove(cert, key)
    return true
  } catch {
    return false // a file that a power cut left half written: the caller makes another one
  }
}

function covers(pem: string, authority: Authority, names: readonly string[]): boolean {
  const certificate = new X509Certificate(pem)
  return (
    certificate.verify(new X509Certificate(authority.certificate).publicKey) &&
    names.every(
      (name) =>
        (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined,
    )
  ) // checkIP throws for a name
}
