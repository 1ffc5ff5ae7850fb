import type { Events } from '../events/bus.js'
import { Turn } from '../turn.js'
import { AskPoll } from './ask-poll.js'
import type { ClientsFile } from './clients-xml.js'
import type { Parking } from './parking.js'

/** After these, a device that shows the machine, or is to, may be told something else. */
const ABOUT_A_MACHINE = [
  'powerChanged',
  'maintenanceChanged',
  'viewersChanged',
  'assignmentChanged',
  'drainTold',
  'consoleWatched',
] as const

/** Devices that wait look again when what they wait for may have changed. */
export function wakeOnChanges(events: Events, parking: Parking): void {
  events.subscribe('jobReleased', (machineIds) => {
    for (const id of machineIds) parking.tell(`machine:${id}`)
  })
  events.subscribeAll(ABOUT_A_MACHINE, (id) => {
    parking.tell(`machine:${id}`)
  })
  events.subscribeAll(['poolChanged', 'poolFreed'], (id) => {
    parking.tell(`pool:${id}`)
  })
  events.subscribe('hypervisorChanged', (name) => {
    parking.tell(`hypervisor:${name}`)
  })
}

/** Another clients.xml is in force: those for whom it says something else look again. */
export async function wakeThoseMeantOtherwise(parking: Parking, file: ClientsFile): Promise<void> {
  const turn = new Turn()
  for (const poll of parking.parked()) {
    if (poll instanceof AskPoll && !poll.isAlikeUnder(file)) parking.wake(poll)
    await turn.passed()
  }
}
