import { type ThinClient, ThinClientList } from '../../broker/api/thin-clients.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { type Column, fieldsOf } from '../output.js'

export const DEVICES: ReadonlyArray<Column<ThinClient>> = [
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
  ...DEVICES.map(([title, cell]): Column<ThinClient> => [title.toLowerCase(), cell]),
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
/** What names a device on the command line. */
export const DEVICE = 'its id, name, MAC or host name'

export function showDevice(invocation: Invocation, device: ThinClient): void {
  invocation.output.show(device, () => fieldsOf(FIELDS, device))
}

/** An id counts first; a MAC or a host name only when one device has it, since several may claim the same. */
export async function findDevice(invocation: Invocation, text: string): Promise<ThinClient> {
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
