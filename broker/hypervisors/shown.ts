import type { Capacity, Hypervisor } from '../api/hypervisors.js'
import type { Observation } from '../occupancy/occupancy.js'
import type { HypervisorRow } from '../store/tables.js'
import type { LinkStatus } from './hypervisor.js'
import { listenOf } from './listen.js'

/** As the API shows it. */
export function shownHypervisor(
  row: HypervisorRow,
  status: LinkStatus | undefined,
  observation: Observation,
  unready: string | null,
  machines: number,
  drain: Hypervisor['drain'],
): Hypervisor {
  const facts = status?.facts ?? null
  return {
    name: row.name,
    address: row.address,
    port: row.port,
    displayAddress: row.display_address,
    listenAddress: listenOf(row),
    listenAddressSetting: row.listen_address,
    ...stateOf(row, status, observation, unready),
    since: new Date(status?.sinceMs ?? row.created_at).toISOString(),
    observed: observedIn(status, observation),
    maintenance: row.maintenance === 1,
    drain,
    hostKeyFingerprint: row.host_key_fingerprint,
    virtType: row.virt_type_setting === 'auto' ? row.virt_type : row.virt_type_setting,
    virtTypeSetting: row.virt_type_setting,
    directories: {
      images: row.images_dir,
      overlays: row.overlays_dir,
      transient: row.transient_dir,
    },
    maxStarts: row.max_starts,
    capacity: facts && capacityOf(facts),
    versions: facts && {
      libvirt: facts.libvirt_version ?? 'unknown',
      qemu: facts.qemu_version ?? 'unknown',
      helper: facts.helper_version,
    },
    machines,
  }
}

/** A host that is up and cannot be looked at says so in the place where one that is away does. */
function stateOf(
  row: HypervisorRow,
  status: LinkStatus | undefined,
  observation: Observation,
  unready: string | null,
): Pick<Hypervisor, 'state' | 'reason'> {
  const reason = status?.state === 'up' ? troubleOf(observation, unready) : (status?.reason ?? '')
  if (row.maintenance !== 1) return { state: status?.state ?? 'connecting', reason }
  const why = row.maintenance_reason || 'Put in maintenance.'
  return { state: 'maintenance', reason: [why, reason].filter(Boolean).join(' ') }
}

function observedIn(
  status: LinkStatus | undefined,
  { current, ageMs, reason }: Observation,
): Hypervisor['observed'] {
  return {
    current: status?.state === 'up' && current,
    at: ageMs === null ? null : new Date(Date.now() - ageMs).toISOString(),
    reason,
  }
}

function troubleOf({ current, reason }: Observation, unready: string | null): string {
  if (unready !== null) return `It is not ready to be worked with, and is tried again: ${unready}`
  if (reason === '') return ''
  return current
    ? `It was not to be seen just now. ${reason}`
    : `What happens on it is not known, so everything on it counts as in use. ${reason}`
}

function capacityOf(facts: NonNullable<LinkStatus['facts']>): Capacity {
  const { images, overlays } = facts.directories
  return {
    cores: facts.cores,
    memoryMib: facts.memory_mib,
    memoryFreeMib: facts.memory_free_mib,
    imagesFreeBytes: images.free_bytes,
    imagesTotalBytes: images.total_bytes,
    overlaysFreeBytes: overlays.free_bytes,
  }
}
