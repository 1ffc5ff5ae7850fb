import type { Command } from 'commander'
import { Hypervisor } from '../../broker/api/hypervisors.js'
import { MachineList } from '../../broker/api/machines.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { showHypervisor } from './hypervisor-table.js'
import { listMachines } from './machine-table.js'
import { setPoolMaintenance } from './pool.js'

/** `hypervisor:hv1`, or with a slash as Kubernetes writes it. */
const TARGET = /^(?:(hypervisor|pool)[:/])?(.*)$/s
interface MaintenanceOptions {
  readonly children?: boolean
  readonly reason?: string
  readonly hypervisor?: boolean
}

export function defineMaintenanceCommands(program: Command, invocation: Invocation): void {
  const maintenance = program
    .command('maintenance')
    .summary('do not hand out machines')
    .description(
      'What is in maintenance is not handed out. Running desktops stay; a waiting thin ' +
        'client shows the reason and gets in by itself when it ends.\nHorizon: enter ' +
        'maintenance mode, disable a desktop pool. Proxmox VE: node maintenance (HA).',
    )
  for (const state of ['on', 'off'] as const) {
    const command = maintenance
      .command(state)
      .argument('<TARGET>', 'a machine, pool/NAME or hypervisor/NAME')
      .summary(state === 'on' ? 'begin maintenance' : 'end maintenance')
      .description(
        state === 'on'
          ? 'Begins maintenance on a machine, on all machines made from it, on a pool, or on a hypervisor.'
          : 'Ends maintenance: waiting thin clients get in by themselves.',
      )
      .option('--children', 'all machines made from the target, instead of the target itself')
      .option('--hypervisor', 'the target is a hypervisor')
    if (state === 'on')
      command.option('--reason <TEXT>', 'shown to administrators and on waiting thin clients')
    command.action(async (target: string, options: MaintenanceOptions) => {
      await setMaintenance(invocation, target, state === 'on', options)
    })
  }
}

async function setMaintenance(
  invocation: Invocation,
  target: string,
  on: boolean,
  { children, reason, hypervisor }: MaintenanceOptions,
): Promise<void> {
  const [, prefix, name = target] = TARGET.exec(target) ?? []
  const kind = hypervisor === true ? 'hypervisor' : (prefix ?? 'machine')
  if (kind !== 'machine' && children === true)
    throw new CliError(
      'usage',
      `--children is for machines; all machines of a ${kind} in maintenance are held back anyway.`,
    )
  if (kind === 'pool') await setPoolMaintenance(invocation, name, on, reason)
  else if (kind === 'hypervisor')
    showHypervisor(
      invocation,
      await invocation.client.send(
        'PUT',
        apiPath`/hypervisors/${name}/maintenance`,
        { on, reason },
        Hypervisor,
      ),
    )
  else
    listMachines(
      invocation,
      await invocation.client.send(
        'PUT',
        apiPath`/machines/${name}/maintenance`,
        { on, reason, children },
        MachineList,
      ),
    )
}
