import type { MachineType } from '../api/machines.js'
import { refusal } from '../errors/broker-error.js'
import type { DiskSource, ParsedDomain } from '../hypervisors/domain-xml.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'

/** Where a disk is, in the words of a machine's row; one that is no path of its host is only named. */
export interface AdoptedDisk {
  readonly disk: string
  /** Why Berth leaves it alone; empty: it is a path. */
  readonly unmanaged: string
}

/** Asks libvirt for the path of a volume. A disk that only QEMU opens, or none, is not managed. */
export async function adoptedDisk(
  link: HypervisorLink,
  source: DiskSource | null,
): Promise<AdoptedDisk> {
  if (source === null)
    return {
      disk: 'none',
      unmanaged: 'it has no disk, so it is managed for its power and console only',
    }
  if (source.kind === 'path') return { disk: source.path, unmanaged: '' }
  const what = source.kind === 'volume' ? `volume:${source.pool}/${source.volume}` : source.what
  const path = source.kind === 'volume' ? await volumePath(link, source) : null
  return path?.startsWith('/') === true
    ? { disk: path, unmanaged: '' }
    : {
        disk: what,
        unmanaged: `its disk (${what}) is no file of its host, so it is managed for its power and console only`,
      }
}

async function volumePath(
  link: HypervisorLink,
  { pool, volume }: { pool: string; volume: string },
): Promise<string | null> {
  const { path } = await link.request<{ path: string | null }>('volume_path', { pool, volume })
  return path
}

/** Whether Berth may read and replace the disk of a machine. */
export function isManaged(disk: string | null): boolean {
  return disk === null || disk.startsWith('/')
}

/** Images are made from files: a machine without one cannot be anything but simple. */
export function refuseUnmanaged(name: string, disk: string | null, type: MachineType): void {
  if (type !== 'simple' && !isManaged(disk))
    throw refusal('disk_not_managed', { machine: name, disk: disk ?? '' })
}

/** What whoever adopts a domain ought to know of it, in sentences. */
export function notesOn(name: string, domain: ParsedDomain, { unmanaged }: AdoptedDisk): string[] {
  const [network = ''] = domain.network.split(':')
  return [
    ...(unmanaged === '' ? [] : [`${name}: ${unmanaged}.`]),
    ...domain.displayFaults.map((fault) => `${name}: ${fault}.`),
    ...(domain.macs.length > 1
      ? [
          `${name} has ${domain.macs.length} network cards: "machine set --network" means the first.`,
        ]
      : []),
    ...(network === 'other' ? [`${name}: its first network card is left as it is.`] : []),
  ]
}
