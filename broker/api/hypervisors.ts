import { type Static, Type } from '@sinclair/typebox'
import {
  AbsolutePath,
  Address,
  Fingerprint,
  Instant,
  Name,
  Reason,
  nullable,
  oneOf,
  strictObject,
} from './common.js'

/**
 * connecting: first contact or reconnecting; up; unreachable: see reason; maintenance: reachable or
 * not, nothing is handed out from it.
 */
export const HYPERVISOR_STATES = ['connecting', 'up', 'unreachable', 'maintenance'] as const
export const HypervisorState = oneOf(HYPERVISOR_STATES)
export const VirtType = oneOf(['kvm', 'qemu'] as const, {
  description: 'qemu: software emulation (TCG)',
})

export const Directories = strictObject({
  images: AbsolutePath,
  overlays: AbsolutePath,
  transient: AbsolutePath,
})
export type Directories = Static<typeof Directories>

export const Capacity = strictObject({
  cores: Type.Integer(),
  memoryMib: Type.Integer(),
  memoryFreeMib: Type.Integer(),
  imagesFreeBytes: Type.Integer(),
  imagesTotalBytes: Type.Integer(),
  overlaysFreeBytes: Type.Integer(),
})
export type Capacity = Static<typeof Capacity>

export const Hypervisor = strictObject({
  name: Name,
  address: Address,
  port: Type.Integer({ minimum: 1, maximum: 65535 }),
  displayAddress: Address,
  listenAddress: Type.String({ description: 'Where displays listen now' }),
  listenAddressSetting: Type.String(),
  state: HypervisorState,
  reason: Type.String({ description: 'Why it is in this state, in one sentence; empty when up' }),
  since: Instant,
  observed: strictObject({
    current: Type.Boolean({
      description:
        'Whether what is known of its machines is fresh enough to act upon; otherwise all of them count as in use',
    }),
    at: nullable({ ...Instant, description: 'When it was last looked at' }),
    reason: Type.String({
      description: 'Why the last look failed, in one sentence; empty: it did not',
    }),
  }),
  maintenance: Type.Boolean(),
  drain: nullable(
    oneOf(['draining', 'empty'] as const, {
      description:
        'draining: what is on it goes away; empty: it may be switched off; null: it is not to be emptied',
    }),
  ),
  hostKeyFingerprint: Fingerprint,
  virtType: nullable(VirtType),
  virtTypeSetting: oneOf(['auto', 'kvm', 'qemu'] as const),
  directories: Directories,
  maxStarts: Type.Integer({ minimum: 1, maximum: 64, description: 'Machines started at one time' }),
  capacity: nullable(Capacity),
  versions: nullable(
    strictObject({ libvirt: Type.String(), qemu: Type.String(), helper: Type.String() }),
  ),
  machines: Type.Integer(),
})
export type Hypervisor = Static<typeof Hypervisor>

const settings = {
  displayAddress: Type.Optional({
    ...Address,
    description: 'Where viewers are sent: a DNS name, an IPv4 or an IPv6 address',
  }),
  listenAddress: Type.Optional(
    Type.String({
      pattern: '^(auto|[0-9A-Fa-f.:]{2,45})$',
      description:
        'Where displays listen: an address of the host, 0.0.0.0 or ::; auto: the display ' +
        "address where it is the host's own, else all addresses of its family",
    }),
  ),
  virtType: Type.Optional(
    oneOf(['auto', 'kvm', 'qemu'] as const, { description: 'auto: probed by booting something' }),
  ),
  directories: Type.Optional(Type.Partial(Directories, { additionalProperties: false })),
  maxStarts: Type.Optional(Type.Integer({ minimum: 1, maximum: 64 })),
}

export const ScanRequest = strictObject({
  address: Address,
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535, default: 22 })),
})
export const ScanResult = strictObject({
  address: Address,
  port: Type.Integer(),
  keyType: Type.String(),
  fingerprint: Fingerprint,
})
export type ScanResult = Static<typeof ScanResult>

/** `fingerprint` is what the administrator has confirmed; a host that shows another key is refused. */
export const HypervisorAdd = strictObject({
  name: Name,
  address: Address,
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535, default: 22 })),
  fingerprint: Fingerprint,
  ...settings,
})
export type HypervisorAdd = Static<typeof HypervisorAdd>
export const HypervisorAdded = strictObject({
  hypervisor: Hypervisor,
  installLine: Type.String({ description: 'One line to paste as root on the hypervisor' }),
})
export type HypervisorAdded = Static<typeof HypervisorAdded>
export const HypervisorPatch = strictObject(settings, { minProperties: 1 })
export type HypervisorPatch = Static<typeof HypervisorPatch>
export const HostKeys = strictObject({
  pinned: Fingerprint,
  offered: nullable(Fingerprint),
  reason: Type.Optional(Reason),
})
export type HostKeys = Static<typeof HostKeys>
export const TrustRequest = strictObject({ fingerprint: Fingerprint })
