import { join } from 'node:path'
import { mustRun } from '../../fleet/command.js'

/** A key and a certificate that is its own authority, for two days, in this folder; both are readable by everybody. */
export async function ownCertificate(
  folder: string,
  names: readonly string[],
): Promise<{ key: string; certificate: string }> {
  const [key, certificate] = [join(folder, 'tls-key.pem'), join(folder, 'tls-certificate.pem')]
  const alternatives = names
    .map((name) => `${/^[\d.]+$/.test(name) ? 'IP' : 'DNS'}:${name}`)
    .join(',')
  await mustRun([
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${names[0] ?? 'localhost'}`,
    '-addext',
    `subjectAltName=${alternatives}`,
    '-keyout',
    key,
    '-out',
    certificate,
  ])
  return { key, certificate }
}
