import { X509Certificate } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Logger } from 'pino'
import { type Authority, spiceSubject } from '../certificates/authority.js'
import type { HypervisorRow } from '../store/tables.js'
import type { HypervisorLink } from './hypervisor.js'
import { listenFor } from './listen.js'

export interface PrepareDeps {
  readonly authority: Authority
  readonly log: Logger
}

/** Records what was found on a host, at once: what is found before a fault stays found. */
export interface Findings {
  virtType(type: 'kvm' | 'qemu'): Promise<void>
  listen(address: string): Promise<void>
}

/**
 * Each time a line comes up: the host has a SPICE certificate of this broker for its name and
 * address, and it is known what its guests run under.
 */
export async function prepareHost(
  deps: PrepareDeps,
  link: HypervisorLink,
  row: HypervisorRow,
  findings: Findings,
): Promise<void> {
  await certify(deps, link, row)
  await findListen(link, row, findings)
  if (row.virt_type_setting !== 'auto' || row.virt_type !== null) return
  const { virt_type: found, reason } = await link.request<{
    virt_type: 'kvm' | 'qemu'
    reason: string
  }>('probe_virt', {}, { timeoutMs: 60_000 })
  deps.log.info({ hypervisor: row.name, virtType: found, reason }, 'hypervisor was probed')
  await findings.virtType(found)
}

/** Asked each time: addresses of a host, and where a name leads, change. */
async function findListen(
  link: HypervisorLink,
  row: HypervisorRow,
  findings: Findings,
): Promise<void> {
  const { addresses } = await link.request<{ addresses: string[] }>('host_look', {
    look: 'addresses',
  })
  const found = listenFor(row.display_address, await resolve(row.display_address), addresses)
  if (found !== row.listen_found) await findings.listen(found)
}

/** Null: it is not known where that leads. */
export async function resolve(address: string): Promise<string[] | null> {
  return await lookup(address, { all: true }).then(
    (found) => found.map((one) => one.address),
    () => null,
  )
}

async function certify(deps: PrepareDeps, link: HypervisorLink, row: HypervisorRow): Promise<void> {
  const { certificate, ca } = await link.request<{ certificate: string | null; ca: string | null }>(
    'spice_certificate',
    {},
  )
  if (
    certificate !== null &&
    ca?.trim() === deps.authority.certificate.trim() &&
    isFor(certificate, row) &&
    (await link.request<{ matches: boolean }>('host_look', { look: 'certificate_key' })).matches
  )
    return
  const { csr } = await link.request<{ csr: string }>('spice_certificate_request', {
    common_name: row.name,
  })
  const signed = await deps.authority.signSpice(csr, row.name, [row.display_address])
  await link.request('spice_certificate_install', {
    certificate: signed,
    ca: deps.authority.certificate,
  })
  deps.log.info({ hypervisor: row.name }, 'hypervisor has a new SPICE certificate')
}

/** Whether QEMU can show a certificate to viewers that are told this name and address. */
function isFor(pem: string, row: HypervisorRow): boolean {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pem)
  } catch {
    return false // half written, or not a certificate: another one takes its place
  }
  const subject = certificate.subject.split('\n').join(',')
  const covered = isIP(row.display_address)
    ? certificate.checkIP(row.display_address)
    : certificate.checkHost(row.display_address)
  return subject === spiceSubject(row.name) && covered !== undefined
}
