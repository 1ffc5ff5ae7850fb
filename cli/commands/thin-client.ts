import type { Command } from 'commander'
import {
  type AcceptRequest,
  type AssignRequest,
  Forgotten,
  ThinClient,
  ThinClientList,
} from '../../broker/api/thin-clients.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { defineDeviceOrders } from './device-orders.js'
import { DEVICE, DEVICES, findDevice, showDevice } from './device-table.js'

export function defineThinClientCommands(program: Command, invocation: Invocation): void {
  const thinClient = program
    .command('thin-client')
    .summary('devices on desks')
    .description(
      'Devices that boot into a desktop. One that is "unknown" has no desktop, or shows a ' +
        'MAC that another device has: it waits for an administrator.\nHorizon: client device. ' +
        'Proxmox VE has none; the nearest is a VDI client.',
    )
  defineList(thinClient, invocation)
  defineShow(thinClient, invocation)
  defineAssign(thinClient, invocation)
  defineUnassign(thinClient, invocation)
  defineAccept(thinClient, invocation)
  defineRename(thinClient, invocation)
  defineRemove(thinClient, invocation)
  defineDeviceOrders(thinClient, invocation)
}

function defineList(thinClient: Command, invocation: Invocation): void {
  thinClient
    .command('list')
    .summary('list thin clients')
    .description(
      'Lists the devices that have asked for a desktop, with what they are told and what they show.',
    )
    .action(async () => {
      const answer = await invocation.client.get('/thin-clients', ThinClientList)
      invocation.output.list(answer, DEVICES, answer.thinClients)
    })
}

function defineShow(thinClient: Command, invocation: Invocation): void {
  thinClient
    .command('show')
    .argument('<DEVICE>', DEVICE)
    .summary('show a thin client')
    .description('Shows one device, with the sentence on its screen and its note of troubles.')
    .action(async (device: string) => {
      showDevice(invocation, await findDevice(invocation, device))
    })
}

function defineAssign(thinClient: Command, invocation: Invocation): void {
  thinClient
    .command('assign')
    .argument('<DEVICE>', DEVICE)
    .argument('[MACHINE]')
    .option('--pool <POOL>', 'a desktop of this pool instead of a machine')
    .summary('give a device a machine or a pool of its own')
    .description(
      'Gives the device a fixed machine, or a desktop of a pool; this goes before ' +
        'clients.xml. Horizon: assign a user or device to a desktop.',
    )
    .action(async (device: string, machine: string | undefined, { pool }: { pool?: string }) => {
      if ((machine === undefined) === (pool === undefined))
        throw new CliError('usage', 'Say a machine, or --pool and a pool.')
      showDevice(
        invocation,
        await assign(
          invocation,
          device,
          pool === undefined ? { machine: machine ?? null } : { pool },
        ),
      )
    })
}

function defineUnassign(thinClient: Command, invocation: Invocation): void {
  thinClient
    .command('unassign')
    .argument('<DEVICE>', DEVICE)
    .summary('take its own machine or pool away')
    .description('Takes its own machine or pool away; clients.xml decides again.')
    .action(async (device: string) => {
      showDevice(invocation, await assign(invocation, device, { machine: null }))
    })
}

function defineAccept(thinClient: Command, invocation: Invocation): void {
  thinClient
    .command('accept')
    .argument('<DEVICE>', DEVICE)
    .option('--code <CODE>', 'the one with this code on its screen')
    .option('--address <ADDRESS>', 'the only one that asks from there')
    .option('--as-new', 'as a device of its own that has the same MAC, for example at one dock')
    .summary('let a device get a key')
    .description(
      'Gives a key to a device that is refused, for example after its system was ' +
        'reinstalled, at its next contact. "show" lists who asks in its place, by address and ' +
        'the code on the screen; where several do, give the code of the right one. Where ' +
        'nobody does, the MACs and the host name that the device says now are believed.',
    )
    .action(async (device: string, request: AcceptRequest) => {
      const { id } = await findDevice(invocation, device)
      showDevice(
        invocation,
        await invocation.client.send(
          'POST',
          apiPath`/thin-clients/${id}/accept`,
          request,
          ThinClient,
        ),
      )
    })
}

function defineRename(thinClient: Command, invocation: Invocation): void {
  thinClient
    .command('rename')
    .argument('<DEVICE>', DEVICE)
    .argument('<NAME>', 'at most 63 characters; empty takes the name away')
    .summary('give a device a name')
    .description('Gives the device a name for lists and commands. It gives it no desktop.')
    .action(async (device: string, name: string) => {
      const { id } = await findDevice(invocation, device)
      showDevice(
        invocation,
        await invocation.client.send('PATCH', apiPath`/thin-clients/${id}`, { name }, ThinClient),
      )
    })
}

function defineRemove(thinClient: Command, invocation: Invocation): void {
  thinClient
    .command('remove')
    .argument('[DEVICE]', DEVICE)
    .option('--unaccepted', 'all that nobody has accepted')
    .summary('forget a device')
    .description(
      'Forgets the device with its key and its fixed machine. If it asks again it is new. ' +
        'Devices that nobody accepts are forgotten by themselves after a day.',
    )
    .action(
      async (device: string | undefined, { unaccepted = false }: { unaccepted?: boolean }) => {
        if ((device === undefined) !== unaccepted)
          throw new CliError('usage', 'Say a device, or --unaccepted.')
        if (device === undefined) {
          const { forgotten } = await invocation.client.send(
            'POST',
            '/thin-clients/forget-unaccepted',
            {},
            Forgotten,
          )
          invocation.say(`${forgotten} forgotten.`)
          return
        }
        const { id } = await findDevice(invocation, device)
        await invocation.client.sendOnly('DELETE', apiPath`/thin-clients/${id}`)
        invocation.say(`${id} is forgotten.`)
      },
    )
}

async function assign(
  invocation: Invocation,
  device: string,
  wish: AssignRequest,
): Promise<ThinClient> {
  const { id } = await findDevice(invocation, device)
  return await invocation.client.send(
    'PUT',
    apiPath`/thin-clients/${id}/assignment`,
    wish,
    ThinClient,
  )
}
