import { type Command, Option } from 'commander'
import { Type } from '@sinclair/typebox'
import { MACHINE_TYPES, Machine, MachineList, MachinesAndJob } from '../../broker/api/machines.js'
import { apiPath, apiQuery } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { fieldsOf } from '../output.js'
import { readTextFile } from '../prompts.js'
import { parseInteger, parseMemoryMib } from '../quantities.js'
import { defineMachineConsole } from './machine-console.js'
import { defineMachineCreate } from './machine-create.js'
import { defineMachineDelete, defineMachinePower } from './machine-power.js'
import { MACHINE_FIELDS, finishMachines, listMachines } from './machine-table.js'

const MachineXml = Type.Object({ xml: Type.String() })

export function defineMachineCommands(program: Command, invocation: Invocation): void {
  const machine = program
    .command('machine')
    .summary('virtual machines')
    .description(
      'Machines are libvirt domains. Types: simple (not used for desktops), source (where ' +
        'the system is installed), initial (bootable base, made by copying a source), vdi ' +
        '(runs on an overlay of an initial).\nHorizon: initial = golden image or parent VM, ' +
        'vdi = instant or linked clone. Proxmox VE: machine = VM, initial = template, vdi = ' +
        'linked clone.',
    )
  defineMachineCreate(machine, invocation)
  defineLooking(machine, invocation)
  defineChanging(machine, invocation)
  defineMachinePower(machine, invocation)
  defineMachineDelete(machine, invocation)
  defineDiscardChanges(machine, invocation)
  defineMachineConsole(machine, invocation)
}

interface ListOptions {
  readonly hypervisor?: string
  readonly type?: string
  readonly parent?: string
}

function defineLooking(machine: Command, invocation: Invocation): void {
  machine
    .command('list')
    .summary('list machines')
    .description(
      'Lists machines. POWER is what libvirt says; STATE is ready, maintenance or the job at ' +
        'work; FLAGS: discard (virtual snapshot), on-reboot, renew (moved to a newer ' +
        'generation when released); VIEWERS: who is connected now.',
    )
    .option('--hypervisor <HYPERVISOR>', 'only on this one')
    .addOption(new Option('--type <TYPE>', 'only of this type').choices(MACHINE_TYPES))
    .option('--parent <MACHINE>', 'only those made from this one')
    .action(async (options: ListOptions) => {
      listMachines(
        invocation,
        await invocation.client.get(`/machines${apiQuery({ ...options })}`, MachineList),
      )
    })
  machine
    .command('show')
    .argument('<MACHINE>')
    .summary('show a machine')
    .description('Shows everything the broker knows of one machine.')
    .action(async (name: string) => {
      const found = await invocation.client.get(apiPath`/machines/${name}`, Machine)
      invocation.output.show(found, () => fieldsOf(MACHINE_FIELDS, found))
    })
  machine
    .command('xml')
    .argument('<MACHINE>')
    .summary('print the domain XML')
    .description(
      'Prints the libvirt domain XML as the broker defines it (virsh dumpxml; Proxmox VE: qm showcmd, qm config).',
    )
    .action(async (name: string) => {
      const answer = await invocation.client.get(apiPath`/machines/${name}/xml`, MachineXml)
      if (invocation.output.format === 'table') invocation.output.raw(answer.xml)
      else invocation.output.show(answer, () => '')
    })
}

interface SetOptions {
  readonly memory?: number
  readonly vcpus?: number
  readonly network?: string
  readonly parent?: string
  readonly domainXml?: string
  readonly wait: boolean
}

function defineChanging(machine: Command, invocation: Invocation): void {
  defineSet(machine, invocation)
  defineChangeType(machine, invocation)
}

function defineSet(machine: Command, invocation: Invocation): void {
  machine
    .command('set')
    .argument('<MACHINE>')
    .summary('change memory, processors, network, parent or XML')
    .description(
      'Changes a machine; it must be off for what libvirt cannot change while it runs. Proxmox VE: qm set.',
    )
    .option('--memory <SIZE>', '2GiB, or MiB without a unit', parseMemoryMib)
    .option('--vcpus <N>', 'processors', parseInteger(1, 512))
    .option('--network <NETWORK>', 'network:NAME (libvirt), bridge:NAME, or none')
    .option('--parent <MACHINE>', 'the machine it is made from; none for no parent')
    .option('--domain-xml <FILE>', "a domain.xml of one's own; - is standard input")
    .option('--no-wait', 'print the job id and do not follow it')
    .action(
      async (
        name: string,
        { memory: memoryMib, vcpus, network, parent, domainXml, wait }: SetOptions,
      ) => {
        const body = {
          memoryMib,
          vcpus,
          network,
          parent: parent === 'none' ? null : parent,
          domainXml: domainXml === undefined ? undefined : readTextFile(domainXml, 'domain XML'),
        }
        if (Object.values(body).every((value) => value === undefined))
          throw new CliError(
            'usage',
            'Nothing to change; give at least one setting (berth machine set --help).',
          )
        await patch(invocation, name, body, wait)
      },
    )
}

function defineChangeType(machine: Command, invocation: Invocation): void {
  machine
    .command('change-type')
    .argument('<MACHINE>')
    .addArgument(machine.createArgument('<TYPE>').choices(MACHINE_TYPES))
    .summary('change the type')
    .description(
      'Changes the type. A vdi machine needs a parent, which is an initial machine. Proxmox ' +
        'VE: qm template makes a template in the same way.',
    )
    .option('--parent <MACHINE>', 'the machine it is made from')
    .option('--no-wait', 'print the job id and do not follow it')
    .action(
      async (name: string, type: string, { parent, wait }: { parent?: string; wait: boolean }) => {
        await patch(invocation, name, { type, parent }, wait)
      },
    )
}

async function patch(
  invocation: Invocation,
  name: string,
  body: Record<string, unknown>,
  wait: boolean,
): Promise<void> {
  const answer = await invocation.client.send(
    'PATCH',
    apiPath`/machines/${name}`,
    body,
    MachinesAndJob,
  )
  await finishMachines(invocation, answer, wait)
}

interface DiscardOptions {
  readonly children?: boolean
  readonly onReboot?: boolean
  readonly wait: boolean
}

function defineDiscardChanges(machine: Command, invocation: Invocation): void {
  machine
    .command('discard-changes')
    .addArgument(machine.createArgument('<STATE>').choices(['on', 'off']))
    .argument('<MACHINE>')
    .summary('virtual snapshot: throw changes away at power-off')
    .description(
      'With on, everything written to the disk is thrown away at power-off. Running machines ' +
        'change at their next start.\nHorizon: refresh or delete at log-off, non-persistent ' +
        'disk. Proxmox VE: rollback to a snapshot at each stop.',
    )
    .option('--children', 'all machines made from this one, instead of the machine itself')
    .option('--on-reboot', 'a reboot counts as power-off: the broker starts the machine again')
    .option('--no-on-reboot', 'a reboot keeps changes')
    .option('--no-wait', 'print the job id and do not follow it')
    .action(async (state: string, name: string, { children, onReboot, wait }: DiscardOptions) => {
      await finishMachines(
        invocation,
        await invocation.client.send(
          'PUT',
          apiPath`/machines/${name}/discard-changes`,
          { on: state === 'on', children, onReboot },
          MachinesAndJob,
        ),
        wait,
      )
    })
}
