import ipaddr from 'ipaddr.js'
import type { JobRef } from '../../broker/api/images.js'
import type { MachinesAndJob } from '../../broker/api/machines.js'
import { office, poolOf } from '../broker/pools/office.js'
import {
  clientsXml,
  Desk,
  entry,
  newMac,
  STRANGE_ADDRESS,
  TRUSTED,
} from '../broker/thin-clients/desk.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { PASSWORD, person } from './pages-office.js'

/** The role of a teacher, as a seed document names such: with a space. */
export const ROLE = 'chemistry teachers'
export const LONG_NAME = 'reading-room-by-the-north-window-12'

/**
 * An office in which every long table has lines whose cells are full: pools with people, machines
 * with long names, devices known and strange.
 */
export async function fullOffice(): Promise<SimulatedBroker> {
  const broker = await office({ config: { thinClientNetworks: [ipaddr.parseCIDR(TRUSTED)] } })
  const { admin } = broker
  const made = async (body: object): Promise<void> => {
    await admin.succeeded((await admin.post<MachinesAndJob>('/machines', body)).job ?? '')
  }
  await poolOf(broker, 'desks', 3)
  await made({ name: 'gold', type: 'initial', parent: 'golden-desktop', hypervisors: ['hv1'] })
  await made({
    name: LONG_NAME,
    type: 'vdi',
    parent: 'gold',
    hypervisors: ['hv2'],
    memoryMib: 1024,
  })
  await admin.succeeded((await admin.post<JobRef>('/machines/gold/copy')).job)
  await person(broker, 'alexandra.wolkenstein-rodriguez')
  await admin.post('/users', { name: 'bob', password: PASSWORD, roles: [ROLE, 'observer'] })
  await admin.put('/grants', {
    kind: 'pool',
    object: 'desks',
    subjectKind: 'role',
    subject: ROLE,
    verbs: ['start', 'stop', 'reset', 'accessConsole', 'release', 'extend'],
  })
  await admin.post('/pools/desks/assign', { user: 'alexandra.wolkenstein-rodriguez' })
  await admin.put(`/machines/${LONG_NAME}/maintenance`, {
    on: true,
    reason: 'the cables of the north window are laid again',
  })
  const desk = new Desk(broker, newMac())
  await clientsXml(broker, entry(`mac="${desk.macs[0] ?? ''}"`, 'spice:desks-3'))
  await desk.ask()
  await new Desk(broker, newMac(), STRANGE_ADDRESS).ask()
  return broker
}
