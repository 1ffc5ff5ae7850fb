import type { Machine, MachinesAndJob } from '../../broker/api/machines.js'
import type { Invocation } from '../invocation.js'
import type { Column } from '../output.js'

const COLUMNS: ReadonlyArray<Column<Machine>> = [
  ['NAME', (it) => it.name],
  ['TYPE', (it) => it.type],
  ['HYPERVISOR', (it) => it.hypervisor],
  ['PARENT', (it) => it.parent],
  ['GENERATION', (it) => it.generation],
  ['POWER', (it) => it.power],
  ['STATE', stateOf],
  ['FLAGS', flagsOf],
  ['VIEWERS', viewersOf],
]
export const MACHINE_FIELDS: ReadonlyArray<Column<Machine>> = [
  ...COLUMNS.map(([title, cell]): Column<Machine> => [title.toLowerCase(), cell]),
  ['power reason', (it) => it.powerReason],
  ['viewers unknown', (it) => it.viewersUnknown],
  ['power since', (it) => it.powerSince],
  ['maintenance', (it) => (it.maintenance ? `on: ${it.maintenanceReason}` : 'off')],
  ['job', (it) => it.job],
  ['memory', (it) => `${it.memoryMib} MiB`],
  ['vcpus', (it) => it.vcpus],
  ['network', (it) => it.network],
  ['firmware', (it) => it.firmware],
  ['mac', (it) => it.mac],
  ['serial', (it) => it.serial],
  ['id', (it) => it.id],
  ['created', (it) => it.createdAt],
]

function stateOf(machine: Machine): string {
  if (machine.job !== null) return `job ${machine.job}`
  return machine.maintenance ? 'maintenance' : 'ready'
}

function viewersOf({ viewers, viewersUnknown, power }: Machine): string {
  return viewers.length === 0 && viewersUnknown !== '' && power !== 'off'
    ? 'unknown'
    : viewers.join(' ')
}

/**
 * discard: the virtual snapshot is on; on-reboot: a reboot counts as power-off; renew: gets the
 * wanted generation when it is released.
 */
function flagsOf(machine: Machine): string {
  return [
    machine.discardChanges ? 'discard' : '',
    machine.discardOnReboot ? 'on-reboot' : '',
    machine.renewPending ? 'renew' : '',
  ]
    .filter((flag) => flag !== '')
    .join(',')
}

/** The end of commands that answer with machines and perhaps a job. */
export async function finishMachines(
  invocation: Invocation,
  answer: MachinesAndJob,
  wait: boolean,
): Promise<void> {
  for (const note of answer.notes ?? []) invocation.say(note)
  if (answer.job === null) listMachines(invocation, answer)
  else await invocation.finishJob(answer, answer.job, wait)
}

export function listMachines(invocation: Invocation, answer: { machines: Machine[] }): void {
  invocation.output.list(answer, COLUMNS, answer.machines)
}
