import { Type } from '@sinclair/typebox'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import { apiPath } from '../broker-client.js'
import { RefusalError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { type Column, fieldsOf } from '../output.js'
import { showBytes } from '../quantities.js'

export const HYPERVISOR_COLUMNS: ReadonlyArray<Column<Hypervisor>> = [
  ['NAME', (it) => it.name],
  ['ADDRESS', (it) => `${it.address}:${it.port}`],
  ['STATE', (it) => it.state],
  ['VIRT', (it) => it.virtType],
  ['MACHINES', (it) => it.machines],
  ['CORES', (it) => it.capacity?.cores ?? null],
  [
    'MEMORY FREE',
    (it) => (it.capacity === null ? null : showBytes(it.capacity.memoryFreeMib * 1048576)),
  ],
  ['IMAGES FREE', (it) => (it.capacity === null ? null : showBytes(it.capacity.imagesFreeBytes))],
  ['REASON', (it) => it.reason],
]
const FIELDS: ReadonlyArray<Column<Hypervisor>> = [
  ...HYPERVISOR_COLUMNS.map(([title, cell]): Column<Hypervisor> => [title.toLowerCase(), cell]),
  ['since', (it) => it.since],
  ['last seen', (it) => it.observed.at],
  ['maintenance', (it) => (it.maintenance ? 'on' : 'off')],
  ['drain', (it) => it.drain],
  ['host key', (it) => it.hostKeyFingerprint],
  ['display address', (it) => it.displayAddress],
  [
    'displays listen on',
    (it) => `${it.listenAddress}${it.listenAddressSetting === 'auto' ? ' (auto)' : ''}`,
  ],
  ['virt setting', (it) => it.virtTypeSetting],
  ['max starts', (it) => it.maxStarts],
  ['images', (it) => it.directories.images],
  ['overlays', (it) => it.directories.overlays],
  ['transient', (it) => it.directories.transient],
  ['libvirt', (it) => it.versions?.libvirt ?? null],
  ['qemu', (it) => it.versions?.qemu ?? null],
  ['helper', (it) => it.versions?.helper ?? null],
]

export function showHypervisor(invocation: Invocation, hypervisor: Hypervisor): void {
  invocation.output.show(hypervisor, () => fieldsOf(FIELDS, hypervisor))
}

/**
 * As showHypervisor; for one that is not up people also see the line that prepares it, which the
 * broker's own sentences speak of.
 */
export async function showHypervisorWithInstallLine(
  invocation: Invocation,
  hypervisor: Hypervisor,
): Promise<void> {
  const needed =
    invocation.output.format === 'table' &&
    (hypervisor.state === 'connecting' || hypervisor.state === 'unreachable')
  const line = needed ? await installLine(invocation, hypervisor.name) : null
  const fields = line === null ? FIELDS : [...FIELDS, ['install line', () => line] as const]
  invocation.output.show(hypervisor, () => fieldsOf(fields, hypervisor))
}

async function installLine(invocation: Invocation, name: string): Promise<string | null> {
  try {
    return (
      await invocation.client.get(
        apiPath`/hypervisors/${name}/install-line`,
        Type.Object({ installLine: Type.String() }),
      )
    ).installLine
  } catch (error) {
    if (error instanceof RefusalError) return null
    throw error
  }
}
