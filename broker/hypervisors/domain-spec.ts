import type { DesktopFeatures } from './domain-patch.js'
import type { DomainMetadata } from './domain-reading.js'

/** What the machine's own definition says; everything else comes from the template. */
export interface DomainSpec {
  readonly name: string
  readonly uuid: string
  readonly virtType: 'kvm' | 'qemu'
  readonly memoryMib: number
  readonly vcpus: number
  readonly firmware: 'bios' | 'uefi'
  /** `network:NAME`, `bridge:NAME` or `none`. */
  readonly network: string
  readonly mac: string
  readonly serial: string
  /** Absolute path of the qcow2 that is vda. */
  readonly disk: string
  /** Writes go to a throw-away layer that ends with the power. */
  readonly transient: boolean
  readonly destroyOnReboot: boolean
  /** The address on which the SPICE TLS port listens. */
  readonly listen: string
  readonly metadata: DomainMetadata
  /** What viewers may do besides seeing and typing; absent: everything. */
  readonly features?: DesktopFeatures
  /** A domain.xml of one's own instead of the built-in template. */
  readonly template: string | null
}
