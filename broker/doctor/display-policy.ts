import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { isLocal, sameAddress } from '../hypervisors/listen.js'
import { faultsOr, type Judgement, type Said, says } from './finding.js'

/** What stands on the host: PEM or null. */
export interface CertificateLook {
  readonly certificate: string | null
  readonly ca: string | null
}
/** The private key never leaves the host: only how it lies there, and whether it is the certificate's. */
export interface KeyLook {
  readonly present: boolean
  readonly matches: boolean
  readonly mode: string | null
}

const DAY_MS = 24 * 3_600_000
const SOON_DAYS = 30
const OTHERS_MAY = 0o007

/** `address`: where viewers are sent; `ca`: this broker's. */
export function judgeCertificate(
  { certificate }: CertificateLook,
  key: KeyLook,
  { ca, address, name, nowMs }: { ca: string; address: string; name: string; nowMs: number },
): Judgement {
  if (certificate === null) return says('', { code: 'certificate-missing' })
  const parsed = new X509Certificate(certificate)
  const endsMs = Date.parse(parsed.validTo)
  const days = Math.floor((endsMs - nowMs) / DAY_MS)
  const faults: Said[] = [
    ...(isFrom(parsed, ca) ? [] : [{ code: 'certificate-foreign' } as const]),
    ...(days < 0
      ? [
          {
            code: 'certificate-ended',
            values: { date: new Date(endsMs).toISOString().slice(0, 10) },
          } as const,
        ]
      : days < SOON_DAYS
        ? [{ code: 'certificate-ends', values: { days } } as const]
        : []),
    ...(fits(parsed, address)
      ? []
      : [{ code: 'certificate-other-name', values: { address, name } } as const]),
    ...(key.present && key.matches ? [] : [{ code: 'certificate-key' } as const]),
    ...(key.mode !== null && (parseInt(key.mode, 8) & OTHERS_MAY) !== 0
      ? [{ code: 'certificate-open-key', values: { mode: key.mode } } as const]
      : []),
  ]
  return faultsOr(faults, { code: 'certificate-good' }, `${Math.max(0, days)} d`)
}

function isFrom(certificate: X509Certificate, ca: string): boolean {
  const authority = new X509Certificate(ca)
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
}

function fits(certificate: X509Certificate, address: string): boolean {
  return (
    (isIP(address) === 0
      ? certificate.checkHost(address, { subject: 'never' })
      : certificate.checkIP(address)) !== undefined
  )
}

/**
 * `listen`: where displays are told to listen, `setting`: what was set. QEMU can listen on no
 * address that the host does not have.
 */
export function judgeListen(listen: string, setting: string, own: readonly string[]): Said[] {
  const everywhere = listen === '0.0.0.0' || listen === '::'
  const there = everywhere || isLocal(listen) || own.some((one) => sameAddress(one, listen))
  return there || setting === 'auto'
    ? []
    : [{ code: 'display-listen', values: { address: listen, found: own.join(', ') } }]
}

/**
 * `resolved`: what the display address leads to as the broker's machine sees it, or null when it is
 * not known; `own`: addresses of the host's cards.
 */
export function judgeDisplayAddress(
  address: string,
  resolved: readonly string[] | null,
  own: readonly string[],
): Judgement {
  if (resolved === null) return says(address, { code: 'display-unknown', values: { address } })
  if (resolved.some((one) => /^(127\.|::1$)/.test(one)))
    return says(resolved.join(', '), { code: 'display-loopback', values: { address } })
  if (resolved.some((one) => own.some((mine) => sameAddress(one, mine))))
    return says(resolved.join(', '), { code: 'display-own', values: { address } })
  return says(resolved.join(', '), {
    code: 'display-elsewhere',
    values: { address, found: own.join(', ') },
  })
}
