import type { Command } from 'commander'
import { ThinClient, ThinClientList } from '../../broker/api/thin-clients.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { type Column, fieldsOf } from '../output.js'

const COLUMNS: ReadonlyArray<Column<ThinClient>> = [
  ['ID', (it) => it.id], ['MAC', (it) => it.mac], ['ADDRESS', (it) => it.address], ['HOSTNAME', (it) => it.hostname], ['STATE', (it) => it.state], ['PERSON', (it) => it.person], ['MACHINE', (it) => it.machine],
  ['ASSIGNED', (it) => it.assigned], ['ACCEPTED', (it) => it.accepted ? 'yes' : 'no'], ['SHOWING', (it) => it.showing], ['LAST SEEN', (it) => it.lastSeen],
]
const FIELDS: ReadonlyArray<Column<ThinClient>> = [
  ...COLUMNS.map(([title, cell]): Column<ThinClient> => [title.toLowerCase(), cell]),
  ['sentence', (it) => it.sentence], ['note', (it) => it.note], ['version', (it) => it.version], ['first seen', (it) => it.firstSeen],
]
const DEVICE = 'its id, MAC or host name'

export function defineThinClientCommands (program: Command, invocation: Invocation): void {
  const thinClient = program.command('thin-client').summary('devices on desks').description('Devices that boot into a desktop. One that is "unknown" has no desktop, or shows a MAC that another device has: it waits for an administrator.\nHorizon: client device. Proxmox VE has none; the nearest is a VDI client.')
  const show = (device: ThinClient): void => { invocation.output.show(device, () => fieldsOf(FIELDS, device)) }
  thinClient.command('list').summary('list thin clients').description('Lists the devices that have asked for a desktop, with what they are told and what they show.').action(async () => {
    const answer = await invocation.client.get('/thin-clients', ThinClientList)
    invocation.output.list(answer, COLUMNS, answer.thinClients)
  })
  thinClient.command('show').argument('<DEVICE>', DEVICE).summary('show a thin client').description('Shows one device, with the sentence on its screen and its note of troubles.').action(async (device: string) => { show(await find(invocation, device)) })
  thinClient.command('assign').argument('<DEVICE>', DEVICE).argument('<MACHINE>').summary('give a device a machine of its own').description('Gives the device a fixed machine; this goes before clients.xml. Horizon: assign a user or device to a desktop.')
    .action(async (device: string, machine: string) => { show(await assign(invocation, device, machine)) })
  thinClient.command('unassign').argument('<DEVICE>', DEVICE).summary('take the fixed machine away').description('Takes the fixed machine away; clients.xml decides again.').action(async (device: string) => { show(await assign(invocation, device, null)) })
  thinClient.command('accept').argument('<DEVICE>', DEVICE).summary('let a device get a new key').description('Accepts a device that is refused, for example after its system was reinstalled: its old key is forgotten and it gets a new one at its next contact.')
    .action(async (device: string) => {
      const { id } = await find(invocation, device)
      show(await invocation.client.send('POST', apiPath`/thin-clients/${id}/accept`, {}, ThinClient))
    })
  thinClient.command('remove').argument('<DEVICE>', DEVICE).summary('forget a device').description('Forgets the device with its key and its fixed machine. If it asks again it is new.').action(async (device: string) => {
    const { id } = await find(invocation, device)
    await invocation.client.sendOnly('DELETE', apiPath`/thin-clients/${id}`)
    invocation.say(`${id} is forgotten.`)
  })
}

async function assign (invocation: Invocation, device: string, machine: string | null): Promise<ThinClient> {
  const { id } = await find(invocation, device)
  return await invocation.client.send('PUT', apiPath`/thin-clients/${id}/assignment`, { machine }, ThinClient)
}

/** An id counts first; a MAC or a host name only when one device has it, since several may claim the same. */
async function find (invocation: Invocation, text: string): Promise<ThinClient> {
  const { thinClients } = await invocation.client.get('/thin-clients', ThinClientList)
  const wanted = text.toLowerCase().replaceAll('-', ':')
  const byId = thinClients.filter((device) => device.id === text)
  const found = byId.length > 0 ? byId : thinClients.filter((device) => device.mac.toLowerCase() === wanted || (device.hostname !== '' && device.hostname === text))
  if (found[0] === undefined) throw new CliError('refused', `There is no thin client ${text}; "berth thin-client list" shows those that have asked.`)
  if (found.length > 1) throw new CliError('refused', `${text} fits ${found.length} devices; give the id of one: ${found.map((device) => device.id).join(', ')}.`)
  return found[0]
}
