import type { MachineRow } from '../store/tables.js'

/** Whether it can be started: an initial or a vdi machine has no disk before its first copy or populate. */
export function hasDisk({
  disk,
  generation_id: generation,
  type,
}: Pick<MachineRow, 'disk' | 'generation_id' | 'type'>): boolean {
  return disk !== null || generation !== null || type === 'simple' || type === 'source'
}
