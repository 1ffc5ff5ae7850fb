import { domainXml } from '../../../broker/hypervisors/domain-xml.js'
import type { HelperEvent } from '../../../broker/events/map.js'
import type {
  DomainId,
  HypervisorLink,
  LinkStatus,
} from '../../../broker/hypervisors/hypervisor.js'

/** A connection to a host on which nothing else has names that begin with `contract-`. */
export interface LinkUnderTest {
  readonly link: HypervisorLink
  readonly events: readonly HelperEvent[]
  readonly statuses: readonly LinkStatus[]
  /** Under which its guests run: qemu is slower, but is to be had everywhere. */
  readonly virtType: 'kvm' | 'qemu'
  /** Cuts the connection; it comes back by itself, or when `reconnect` is called. */
  readonly cut: () => void | Promise<void>
  readonly reconnect: () => void
  readonly close: () => Promise<void>
}

export interface Items {
  readonly items: ReadonlyArray<{
    name: string
    ok: boolean
    base?: string | null
    error?: { code: string; message: string }
  }>
}

export const DOMAIN = 'contract-pc'
export const UUID = 'c0ffee00-0000-4000-8000-000000000001'
export const IT = { name: DOMAIN, uuid: UUID }
/** For whom the contract's files are made. */
export const owner = 'contract'
export const doomed = (name: string): object => ({ name, owner })
export const SIZE = 64 * 1_048_576

export const copy = async (
  link: HypervisorLink,
  name: string,
  operation?: string,
): Promise<{ sha256: string; virtual_size: number; bytes: number }> =>
  await link.request(
    'image_copy',
    { source: { dir: 'images', name: 'contract-src.qcow2' }, name, owner },
    { timeoutMs: 60_000, ...(operation === undefined ? {} : { operation }) },
  )
export const overlay = async (link: HypervisorLink, base: string): Promise<Items> =>
  await link.request('overlay_create', {
    items: [{ name: `${DOMAIN}.qcow2`, base, fresh: true, owner }],
  })

export async function prepareDomain(link: HypervisorLink, virtType: 'kvm' | 'qemu'): Promise<void> {
  await link.request('image_create', { name: 'contract-src.qcow2', size_bytes: SIZE, owner })
  await copy(link, 'contract-base.g1.qcow2')
  await overlay(link, 'contract-base.g1.qcow2')
  await define(link, virtType)
}

export async function define(
  link: HypervisorLink,
  virtType: 'kvm' | 'qemu',
  { name, uuid }: DomainId = IT,
): Promise<void> {
  const directory = link.status().facts?.directories.overlays.path ?? ''
  await link.defineDomain(
    domainXml({
      name,
      uuid,
      virtType,
      memoryMib: 64,
      vcpus: 1,
      firmware: 'bios',
      network: 'none',
      mac: '52:54:00:c0:ff:ee',
      serial: DOMAIN,
      disk: `${directory}/${DOMAIN}.qcow2`,
      transient: false,
      destroyOnReboot: false,
      listen: '127.0.0.1',
      metadata: {},
      template: null,
    }),
  )
}
