import { type Command, Option } from 'commander'
import { FIRMWARES, MACHINE_TYPES, MachinesAndJob } from '../../broker/api/machines.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { readTextFile } from '../prompts.js'
import { parseDiskGib, parseInteger, parseMemoryMib } from '../quantities.js'
import { finishMachines } from './machine-table.js'

interface CreateOptions {
  readonly type: string
  readonly hypervisor: string[]
  readonly count?: number
  readonly first?: number
  readonly parent?: string
  readonly memory?: number
  readonly vcpus?: number
  readonly disk?: number
  readonly network?: string
  readonly firmware?: string
  readonly domainXml?: string
  readonly discardChanges?: boolean
  readonly discardOnReboot?: boolean
  readonly name?: string
  readonly wait: boolean
}

export function defineMachineCreate(machine: Command, invocation: Invocation): void {
  defineCreate(machine, invocation)
  defineAdopt(machine, invocation)
}

function defineCreate(machine: Command, invocation: Invocation): void {
  const create = machine
    .command('create')
    .argument('[NAME]', 'its name; with --count a pattern such as pc-{nn}')
    .summary('create one machine or many')
    .description(
      'Creates machines. With --count, {n}, {nn} or {nnn} in the name becomes the number; ' +
        'with several hypervisors they are spread evenly. A vdi machine gets its disk when its ' +
        'initial is populated.\nHorizon: add a desktop pool with its naming pattern. Proxmox ' +
        'VE: qm create, qm clone.',
    )
    .addOption(
      new Option('--type <TYPE>', 'simple, source, initial or vdi')
        .choices(MACHINE_TYPES)
        .makeOptionMandatory(),
    )
    .requiredOption(
      '--hypervisor <HYPERVISOR>',
      'where; given several times, machines are spread over them',
      (name: string, before: string[] = []) => [...before, name],
    )
    .option('--name <NAME>', 'the same as the argument')
    .option('--count <N>', 'how many, 1 to 1000', parseInteger(1, 1000))
    .option('--first <N>', 'the first number (1)', parseInteger(0, 1_000_000))
    .option('--parent <MACHINE>', 'initial: its source; vdi: its initial')
  withHardware(create)
    .option('--discard-changes', 'virtual snapshot: changes are thrown away at power-off')
    .option('--discard-on-reboot', 'and at a reboot')
    .option('--no-wait', 'print the job id and do not follow it')
    .action(async (name: string | undefined, options: CreateOptions) => {
      const body = createBody(name, options)
      const answer = await invocation.client.send('POST', '/machines', body, MachinesAndJob)
      await finishMachines(invocation, answer, options.wait)
    })
}

function withHardware(create: Command): Command {
  return create
    .option('--memory <SIZE>', '2GiB, or MiB without a unit (2GiB)', parseMemoryMib)
    .option('--vcpus <N>', 'processors (2)', parseInteger(1, 512))
    .option(
      '--disk <SIZE>',
      'new disk of a simple or source machine: 20GiB, or GiB without a unit (20GiB)',
      parseDiskGib,
    )
    .option('--network <NETWORK>', 'network:NAME (libvirt), bridge:NAME, or none (network:default)')
    .addOption(new Option('--firmware <FIRMWARE>', 'bios or uefi (bios)').choices(FIRMWARES))
    .option(
      '--domain-xml <FILE>',
      "a domain.xml of one's own; name, uuid, disk, MAC and displays are filled in; - is standard input",
    )
}

function defineAdopt(machine: Command, invocation: Invocation): void {
  machine
    .command('adopt')
    .argument('<DOMAIN>', 'a domain that libvirt has')
    .summary('take over a domain that exists on a host')
    .description(
      'Makes a domain known that somebody else has defined; "berth hypervisor domains" lists ' +
        'them. Proxmox VE: qm importdisk and the like are not needed, the domain stays as it ' +
        'is.',
    )
    .requiredOption('--hypervisor <HYPERVISOR>', 'where it is')
    .addOption(new Option('--type <TYPE>', 'simple if not given').choices(MACHINE_TYPES))
    .option('--parent <MACHINE>', 'the machine it is made from')
    .option('--no-wait', 'print the job id and do not follow it')
    .action(
      async (
        name: string,
        {
          hypervisor,
          type,
          parent,
          wait,
        }: { hypervisor: string; type?: string; parent?: string; wait: boolean },
      ) => {
        await finishMachines(
          invocation,
          await invocation.client.send(
            'POST',
            '/machines/adopt',
            { name, hypervisor, type, parent },
            MachinesAndJob,
          ),
          wait,
        )
      },
    )
}

function createBody(argument: string | undefined, options: CreateOptions): Record<string, unknown> {
  const name = argument ?? options.name
  if (name === undefined || (argument !== undefined && options.name !== undefined))
    throw new CliError('usage', 'Give the name once, as the argument or with --name.')
  const { type, count, first, parent, vcpus, network, firmware, discardChanges, discardOnReboot } =
    options
  if ((count ?? 1) > 1 && !/\{n+\}/.test(name))
    throw new CliError(
      'usage',
      `"${name}" would be the name of ${count ?? 1} machines; put {n}, {nn} or {nnn} into it for the number.`,
    )
  const domainXml =
    options.domainXml === undefined ? undefined : readTextFile(options.domainXml, 'domain XML')
  return {
    name,
    type,
    count,
    first,
    hypervisors: options.hypervisor,
    parent,
    memoryMib: options.memory,
    vcpus,
    diskGib: options.disk,
    network,
    firmware,
    domainXml,
    discardChanges,
    discardOnReboot,
  }
}
