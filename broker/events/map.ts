import type { Holder, PowerState } from '../api/machines.js'

/** What the helper of a host pushes, as it says it. */
export interface HelperEvent {
  readonly event: string
  readonly name?: string
  readonly kind?: string
  readonly detail?: string
  readonly up?: boolean
  readonly reason?: string
}

/** `from`: whose console was cut; null: of somebody whom nobody knows. */
export interface ConsoleTaken {
  readonly machineId: string
  readonly from: Holder | null
  readonly by: Holder & { readonly address: string }
}

/**
 * Everything that folders tell one another. Each line names the folder that publishes the event, and
 * no other does; those it concerns subscribe. An event says that something has happened: it is
 * published when that is committed. It carries what it is about, and not the state: that is read.
 */
export interface EventMap {
  /** hypervisors: the host is up, prepared, and can be worked with. */
  hypervisorReady: [hypervisor: string]
  /** hypervisors: its line, whether it is ready, its maintenance, or that it exists. */
  hypervisorChanged: [hypervisor: string]
  /** hypervisors: the host pushed this. */
  hypervisorSaid: [hypervisor: string, event: HelperEvent]

  /** jobs: a job has ended, and lets these machines go (none, perhaps). */
  jobReleased: [machineIds: readonly string[]]

  /** machines: another power state was seen. */
  powerChanged: [machineId: string, power: PowerState, before: PowerState]
  /** machines: its maintenance began or ended. */
  maintenanceChanged: [machineId: string]
  /** machines: other viewers use it, or it is known no more, or again, who they are. */
  viewersChanged: [machineId: string]
  /** machines: the host was looked at. */
  hypervisorSeen: [hypervisor: string]
  /** machines: a look at a host that is up failed. */
  hypervisorUnseen: [hypervisor: string]

  /** pools: what the pool is to be was changed: members, policy, settings, that it exists. */
  poolChanged: [poolId: string]

  /** assignments: who has the machine, how far its desktop is, or what its holder is told. */
  assignmentChanged: [machineId: string]
  /** assignments: who had the machine has it no more. */
  assignmentEnded: [machineId: string]
  /** assignments: a desktop of the pool was given back. */
  poolFreed: [poolId: string]
  /** assignments: a claim got this result (given, queued, or the code of the refusal) after so many milliseconds. */
  claimAnswered: [result: string, ms: number]
  /** assignments: so many milliseconds after the claim the desktop can be opened. */
  desktopPrepared: [ms: number]
  /** assignments: an assignment ended for this reason, in words. */
  assignmentReleased: [because: string]

  /** draining: a drain of the host was ordered, or ordered otherwise. */
  drainChanged: [hypervisor: string]
  /** draining: who has this machine is told something else of the drain of its host. */
  drainTold: [machineId: string]

  /** consoles: somebody is connected now; null: without a ticket of ours. */
  consoleOpened: [machineId: string, holder: Holder | null]
  /** consoles: they are connected no more. */
  consoleClosed: [machineId: string, holder: Holder | null]
  /** consoles: a console was cut for another one. */
  consoleTaken: [taken: ConsoleTaken]
  /** consoles: every console of the machine was ended, as at a release. */
  consoleRevoked: [machineId: string]
  /** consoles: others look at the screen of the machine than before. */
  consoleWatched: [machineId: string]

  /** thin-clients: another clients.xml is in force. */
  clientsXmlLoaded: []
  /** thin-clients: clients.xml was read, and put in force or refused. */
  clientsXmlRead: []
}

export type EventName = keyof EventMap

/** Events about one thing, which their first value names. */
export type EventAboutOne = {
  [N in EventName]: EventMap[N] extends [string, ...unknown[]] ? N : never
}[EventName]
