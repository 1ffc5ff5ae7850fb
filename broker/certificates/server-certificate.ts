import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { type Config, dataFile } from '../config.js'
import { writePrivate } from '../store/private-file.js'
import type { Authority } from './authority.js'

/** The HTTPS certificate: the configured one, or one of the broker's CA for its public names, made anew when these change. The chain ends with the CA. */
export async function serverCertificate(
  config: Config,
  authority: Authority,
): Promise<{ key: string; cert: string }> {
  if (config.tls)
    return {
      key: readFileSync(config.tls.key, 'utf8'),
      cert: readFileSync(config.tls.certificate, 'utf8'),
    }
  const [certificateFile, keyFile] = [
    dataFile(config, 'server.pem'),
    dataFile(config, 'server-key.pem'),
  ]
  const names = [...new Set([...config.publicNames, 'localhost', '127.0.0.1', '::1'])]
  if (existsSync(certificateFile) && existsSync(keyFile)) {
    const cert = readFileSync(certificateFile, 'utf8')
    if (covers(cert, authority, names))
      return { key: readFileSync(keyFile, 'utf8'), cert: `${cert}${authority.certificate}` }
  }
  const issued = await authority.issueServer(names)
  writePrivate(keyFile, issued.key)
  writePrivate(certificateFile, issued.certificate)
  return { key: issued.key, cert: `${issued.certificate}${authority.certificate}` }
}

function covers(pem: string, authority: Authority, names: readonly string[]): boolean {
  const certificate = new X509Certificate(pem)
  return (
    certificate.checkIssued(new X509Certificate(authority.certificate)) &&
    names.every(
      (name) =>
        (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined,
    )
  ) // checkIP throws for a name
}
