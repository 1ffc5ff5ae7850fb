import { X509Certificate } from 'node:crypto'
import type { Logger } from 'pino'
import { type Authority, spiceSubject } from '../certificates/authority.js'
import type { HypervisorRow } from '../store/tables.js'
import type { HypervisorLink } from './hypervisor.js'

export interface PrepareDeps {
  readonly authority: Authority
  readonly log: Logger
  readonly onVirtType: (hypervisor: string, type: 'kvm' | 'qemu') => Promise<void>
}

/** Each time a line comes up: the host has a SPICE certificate of this broker for its name and address, and it is known what its guests run under. */
export async function prepareHost(
  deps: PrepareDeps,
  link: HypervisorLink,
  row: HypervisorRow,
): Promise<void> {
  await certify(deps, link, row)
  if (row.virt_type_setting !== 'auto' || row.virt_type !== null) return
  const { virt_type: found, reason } = await link.request<{
    virt_type: 'kvm' | 'qemu'
    reason: string
  }>('probe_virt', {}, { timeoutMs: 60_000 })
  deps.log.info({ hypervisor: row.name, virtType: found, reason }, 'hypervisor was probed')
  await deps.onVirtType(row.name, found)
}

async function certify(deps: PrepareDeps, link: HypervisorLink, row: HypervisorRow): Promise<void> {
  const { certificate, ca } = await link.request<{ certificate: string | null; ca: string | null }>(
    'spice_certificate',
    {},
  )
  if (
    certificate !== null &&
    ca?.trim() === deps.authority.certificate.trim() &&
    fits(certificate, row)
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

function fits(pem: string, row: HypervisorRow): boolean {
  const certificate = new X509Certificate(pem)
  const subject = certificate.subject.split('\n').join(',')
  const named = certificate.subjectAltName ?? ''
  return subject === spiceSubject(row.name) && named.includes(`:${row.display_address}`)
}
