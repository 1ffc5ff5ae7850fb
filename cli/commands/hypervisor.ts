import type { Command } from 'commander'
import { Type } from '@sinclair/typebox'
import { HostKeys, Hypervisor } from '../../broker/api/hypervisors.js'
import { ForeignDomain, Leftover } from '../../broker/api/machines.js'
import { apiPath, apiQuery } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { confirm } from '../prompts.js'
import { defineHypervisorAdd } from './hypervisor-add.js'
import { defineHypervisorCheck } from './hypervisor-check.js'
import { defineHypervisorDrain } from './hypervisor-drain.js'
import { type HypervisorSettings, settingsBody, withSettings } from './hypervisor-settings.js'
import {
  HYPERVISOR_COLUMNS,
  showHypervisor,
  showHypervisorWithInstallLine,
} from './hypervisor-table.js'

const HypervisorList = Type.Object({ hypervisors: Type.Array(Hypervisor) })
const LeftoverList = Type.Object({ leftovers: Type.Array(Leftover) })
const DomainList = Type.Object({ domains: Type.Array(ForeignDomain) })

export function defineHypervisorCommands(program: Command, invocation: Invocation): void {
  const hypervisor = program
    .command('hypervisor')
    .summary('hosts that run machines')
    .description(
      'Hosts with libvirt and QEMU that the broker reaches over SSH.\nHorizon: a vCenter ' +
        'server and its ESXi hosts. Proxmox VE: a node.',
    )
  defineHypervisorAdd(hypervisor, invocation)
  defineLooking(hypervisor, invocation)
  defineHypervisorCheck(hypervisor, invocation)
  defineHypervisorDrain(hypervisor, invocation)
  defineTrust(hypervisor, invocation)
  defineSet(hypervisor, invocation)
  defineRemove(hypervisor, invocation)
}

function defineTrust(hypervisor: Command, invocation: Invocation): void {
  hypervisor
    .command('trust')
    .argument('<HYPERVISOR>')
    .option('--fingerprint <SHA256:…>', 'accept exactly this key without asking')
    .summary('accept a changed SSH host key')
    .description(
      'Shows the pinned host key and the one that the host offers now, asks, and pins the ' +
        'new one. Do this only if you know why the key changed, such as a reinstalled host.',
    )
    .action(async (name: string, options: { fingerprint?: string }) => {
      await trust(invocation, name, options.fingerprint)
    })
}

function defineSet(hypervisor: Command, invocation: Invocation): void {
  withSettings(hypervisor.command('set').argument('<HYPERVISOR>'))
    .summary('change settings')
    .description('Changes settings; what is not given stays.')
    .action(async (name: string, options: HypervisorSettings) => {
      const body = settingsBody(options)
      if (Object.keys(body).length === 0)
        throw new CliError(
          'usage',
          'Nothing to change; give at least one setting (berth hypervisor set --help).',
        )
      showHypervisor(
        invocation,
        await invocation.client.send('PATCH', apiPath`/hypervisors/${name}`, body, Hypervisor),
      )
    })
}

function defineRemove(hypervisor: Command, invocation: Invocation): void {
  hypervisor
    .command('remove')
    .argument('<HYPERVISOR>')
    .option('--force', 'also when machines are known on it: they are forgotten, not deleted')
    .option('--yes', 'do not ask')
    .summary('forget a hypervisor')
    .description(
      'Forgets a hypervisor. Nothing is deleted on the host. Machines known on it are named ' +
        'and it is refused, unless forced.',
    )
    .action(async (name: string, options: { force?: boolean; yes?: boolean }) => {
      if (options.yes !== true && !(await confirm(`Forget the hypervisor ${name}?`, 'give --yes')))
        throw new CliError('refused', 'Not confirmed; nothing was done.')
      await invocation.client.sendOnly(
        'DELETE',
        apiPath`/hypervisors/${name}` + apiQuery({ force: options.force }),
      )
      invocation.say(`${name} is forgotten.`)
    })
}

function defineLooking(hypervisor: Command, invocation: Invocation): void {
  defineList(hypervisor, invocation)
  defineShow(hypervisor, invocation)
  defineDomains(hypervisor, invocation)
  defineLeftovers(hypervisor, invocation)
}

function defineList(hypervisor: Command, invocation: Invocation): void {
  hypervisor
    .command('list')
    .summary('list hypervisors')
    .description(
      'Lists hypervisors. States: connecting, up, unreachable, maintenance; the reason says why.',
    )
    .action(async () => {
      const answer = await invocation.client.get('/hypervisors', HypervisorList)
      invocation.output.list(answer, HYPERVISOR_COLUMNS, answer.hypervisors)
    })
}

function defineShow(hypervisor: Command, invocation: Invocation): void {
  hypervisor
    .command('show')
    .argument('<HYPERVISOR>')
    .summary('show a hypervisor')
    .description(
      'Shows state, reason, capacity, settings and versions of one hypervisor. If it is not ' +
        'up, also the line that prepares it when pasted there as root.',
    )
    .action(async (name: string) => {
      await showHypervisorWithInstallLine(
        invocation,
        await invocation.client.get(apiPath`/hypervisors/${name}`, Hypervisor),
      )
    })
}

function defineDomains(hypervisor: Command, invocation: Invocation): void {
  hypervisor
    .command('domains')
    .argument('<HYPERVISOR>')
    .summary('list domains that could be adopted')
    .description(
      'Lists domains that libvirt knows on this host and Berth does not; "berth machine adopt" takes one over.',
    )
    .action(async (name: string) => {
      const answer = await invocation.client.get(apiPath`/hypervisors/${name}/domains`, DomainList)
      invocation.output.list(
        answer,
        [
          ['HYPERVISOR', (it) => it.hypervisor],
          ['NAME', (it) => it.name],
          ['POWER', (it) => it.power],
        ],
        answer.domains,
      )
    })
}

function defineLeftovers(hypervisor: Command, invocation: Invocation): void {
  hypervisor
    .command('leftovers')
    .argument('<HYPERVISOR>')
    .summary('list what Berth still removes from a host')
    .description(
      'Lists domains and files that a failed job could not take back, or that belonged to a ' +
        'machine which was deleted while the host was away. They are removed by themselves as ' +
        'soon as the host allows it.',
    )
    .action(async (name: string) => {
      const answer = await invocation.client.get(
        apiPath`/hypervisors/${name}/leftovers`,
        LeftoverList,
      )
      invocation.output.list(
        answer,
        [
          ['KIND', (it) => it.kind],
          ['NAME', (it) => it.name],
          ['SINCE', (it) => it.notedAt],
          ['FAULT', (it) => it.fault],
        ],
        answer.leftovers,
      )
    })
}

async function trust(
  invocation: Invocation,
  name: string,
  fingerprint: string | undefined,
): Promise<void> {
  const keys = await invocation.client.get(apiPath`/hypervisors/${name}/host-key`, HostKeys)
  invocation.say(`pinned:  ${keys.pinned}`)
  invocation.say(`offered: ${keys.offered ?? 'none'}`)
  if (keys.offered === null)
    throw new CliError(
      'refused',
      `${name} offers no host key ` +
        `now${keys.reason === undefined ? '' : ` (${keys.reason})`}; try again when it answers.`,
    )
  if (fingerprint !== undefined && fingerprint !== keys.offered)
    throw new CliError(
      'refused',
      `${name} offers ${keys.offered}, not ${fingerprint}; nothing was changed.`,
    )
  if (fingerprint === undefined && keys.offered === keys.pinned) {
    invocation.say('The offered key is the pinned one; nothing to do.')
    return
  }
  if (
    fingerprint === undefined &&
    !(await confirm(
      'Trust the offered key from now on?',
      `compare and give --fingerprint ${keys.offered}`,
    ))
  )
    throw new CliError('refused', 'Not confirmed; the pinned key stays.')
  showHypervisor(
    invocation,
    await invocation.client.send(
      'POST',
      apiPath`/hypervisors/${name}/trust`,
      { fingerprint: keys.offered },
      Hypervisor,
    ),
  )
}
