import type { Command } from 'commander'
import type { OrderKind } from '../../broker/api/device-orders.js'
import { OrderState } from '../../broker/api/device-orders.js'
import {
  type AcceptRequest,
  type AssignRequest,
  Forgotten,
  ThinClient,
  ThinClientDetail,
  ThinClientList,
} from '../../broker/api/thin-clients.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { type Column, fieldsOf } from '../output.js'
import { plainLine } from '../plain-text.js'

const COLUMNS: ReadonlyArray<Column<ThinClient>> = [
  ['ID', (it) => it.id],
  ['MAC', (it) => it.mac],
  ['ADDRESS', (it) => it.address],
  ['HOSTNAME', (it) => it.hostname],
  ['STATE', (it) => it.state],
  ['PERSON', (it) => it.person],
  ['MACHINE', (it) => it.machine],
  [
    'ASSIGNED',
    (it) => it.assigned ?? (it.assignedPool === null ? null : `pool ${it.assignedPool}`),
  ],
  ['ACCEPTED', (it) => (it.accepted ? 'yes' : 'no')],
  ['SHOWING', (it) => it.showing],
  ['NAME', (it) => it.name],
  ['LAST SEEN', (it) => (it.here ? 'now' : it.lastSeen)],
]
const FIELDS: ReadonlyArray<Column<ThinClient>> = [
  ...COLUMNS.map(([title, cell]): Column<ThinClient> => [title.toLowerCase(), cell]),
  [
    'macs',
    (it) =>
      it.macs.map(({ mac, believed }) => (believed ? mac : `${mac} (not accepted)`)).join(', '),
  ],
  ['asks', (it) => it.askers.map(({ code, address }) => `${code} (${address})`).join(', ')],
  ['sentence', (it) => it.sentence],
  ['note', (it) => it.note],
  ['version', (it) => it.version],
  ['first seen', (it) => it.firstSeen],
]
const DEVICE = 'its id, name, MAC or host name'

export function defineThinClientCommands(program: Command, invocation: Invocation): void {
  const thinClient = program
    .command('thin-client')
    .summary('devices on desks')
    .description(
      'Devices that boot into a desktop. One that is "unknown" has no desktop, or shows a ' +
        'MAC that another device has: it waits for an administrator.\nHorizon: client device. ' +
        'Proxmox VE has none; the nearest is a VDI client.',
    )
  const show = (device: ThinClient): void => {
    invocation.output.show(device, () => fieldsOf(FIELDS, device))
  }
  thinClient
    .command('list')
    .summary('list thin clients')
    .description(
      'Lists the devices that have asked for a desktop, with what they are told and what they show.',
    )
    .action(async () => {
      const answer = await invocation.client.get('/thin-clients', ThinClientList)
      invocation.output.list(answer, COLUMNS, answer.thinClients)
    })
  thinClient
    .command('show')
    .argument('<DEVICE>', DEVICE)
    .summary('show a thin client')
    .description('Shows one device, with the sentence on its screen and its note of troubles.')
    .action(async (device: string) => {
      show(await find(invocation, device))
    })
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
      show(
        await assign(
          invocation,
          device,
          pool === undefined ? { machine: machine ?? null } : { pool },
        ),
      )
    })
  thinClient
    .command('unassign')
    .argument('<DEVICE>', DEVICE)
    .summary('take its own machine or pool away')
    .description('Takes its own machine or pool away; clients.xml decides again.')
    .action(async (device: string) => {
      show(await assign(invocation, device, { machine: null }))
    })
  defineAcceptance(thinClient, invocation, show)
  defineOrders(thinClient, invocation)
}

function defineAcceptance(
  thinClient: Command,
  invocation: Invocation,
  show: (device: ThinClient) => void,
): void {
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
      const { id } = await find(invocation, device)
      show(
        await invocation.client.send(
          'POST',
          apiPath`/thin-clients/${id}/accept`,
          request,
          ThinClient,
        ),
      )
    })
  thinClient
    .command('rename')
    .argument('<DEVICE>', DEVICE)
    .argument('<NAME>', 'at most 63 characters; empty takes the name away')
    .summary('give a device a name')
    .description('Gives the device a name for lists and commands. It gives it no desktop.')
    .action(async (device: string, name: string) => {
      const { id } = await find(invocation, device)
      show(
        await invocation.client.send('PATCH', apiPath`/thin-clients/${id}`, { name }, ThinClient),
      )
    })
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
        const { id } = await find(invocation, device)
        await invocation.client.sendOnly('DELETE', apiPath`/thin-clients/${id}`)
        invocation.say(`${id} is forgotten.`)
      },
    )
}

function defineOrders(thinClient: Command, invocation: Invocation): void {
  const waits =
    'Waits until the device has said what it did, or has not answered for two minutes; exit code 1 if it was not done.'
  thinClient
    .command('message')
    .argument('<DEVICE>', DEVICE)
    .argument('<TEXT>', 'one paragraph, at most 500 characters')
    .option('--seconds <SECONDS>', 'how long it is shown (5 to 3600)', '60')
    .summary('show a text on its screen')
    .description(`Shows a text over the desktop, or on the screen that waits. ${waits}`)
    .action(async (device: string, text: string, { seconds }: { seconds: string }) => {
      await order(invocation, device, 'message', { text, seconds: Number(seconds) })
    })
  thinClient
    .command('reconnect')
    .argument('<DEVICE>', DEVICE)
    .summary('close its viewer and let it ask again')
    .description(
      'Closes the viewer; the device asks again at once what to show. The desktop goes on, ' +
        `and whoever is logged in stays so. ${waits}`,
    )
    .action(async (device: string) => {
      await order(invocation, device, 'reconnect', {})
    })
  thinClient
    .command('reboot')
    .argument('<DEVICE>', DEVICE)
    .summary('restart the device')
    .description(
      'Restarts the device itself, not the desktop that it shows, unless its setting ' +
        `remote-reboot forbids it. ${waits}`,
    )
    .action(async (device: string) => {
      await order(invocation, device, 'reboot', {})
    })
}

const LOOK_EVERY_MS = 500

async function order(
  invocation: Invocation,
  device: string,
  kind: OrderKind,
  body: object,
): Promise<void> {
  const { id } = await find(invocation, device)
  const given = await invocation.client.send(
    'POST',
    apiPath`/thin-clients/${id}/${kind}`,
    body,
    OrderState,
  )
  let now = given
  while (now.state === 'pending' || now.state === 'sent') {
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_EVERY_MS)
    })
    now = (await invocation.client.get(apiPath`/thin-clients/${id}`, ThinClientDetail)).orders.find(
      (one) => one.id === given.id,
    ) ?? { ...now, state: 'refused', sentence: 'It is not known any more.' }
  }
  invocation.output.show(now, () => `${now.state}: ${plainLine(now.sentence)}`)
  if (now.state !== 'done') invocation.end('refused')
}

async function assign(
  invocation: Invocation,
  device: string,
  wish: AssignRequest,
): Promise<ThinClient> {
  const { id } = await find(invocation, device)
  return await invocation.client.send(
    'PUT',
    apiPath`/thin-clients/${id}/assignment`,
    wish,
    ThinClient,
  )
}

/** An id counts first; a MAC or a host name only when one device has it, since several may claim the same. */
async function find(invocation: Invocation, text: string): Promise<ThinClient> {
  const { thinClients } = await invocation.client.get('/thin-clients', ThinClientList)
  const wanted = text.toLowerCase().replaceAll('-', ':')
  const byId = thinClients.filter((device) => device.id === text)
  const found =
    byId.length > 0
      ? byId
      : thinClients.filter(
          (device) =>
            device.macs.some(({ mac }) => mac === wanted) ||
            device.mac.toLowerCase() === wanted ||
            (device.name !== '' && device.name.toLowerCase() === text.toLowerCase()) ||
            (device.hostname !== '' && device.hostname === text),
        )
  if (found[0] === undefined)
    throw new CliError(
      'refused',
      `There is no thin client ${text}; "berth thin-client list" shows those that have asked.`,
    )
  if (found.length > 1)
    throw new CliError(
      'refused',
      `${text} fits ${found.length} devices; give the id of one: ${found.map((device) => device.id).join(', ')}.`,
    )
  return found[0]
}
