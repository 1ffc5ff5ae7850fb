import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fleetScript, mustRun } from './command.js'
import { Desk, mostDesks, screenNumber, type DeskOptions } from './desk.js'
import { FleetHost } from './fleet-host.js'
import { createNetwork, removeBridge, removeOrphanedBridges, type FleetNetwork } from './network.js'
import { createStateFolder, removeOrphanedFolders, thisProcess } from './owner.js'
import { screenSocket } from './screen.js'

export type FleetOptions = {
  hosts: number
  /** A label in the name of the state folder. */
  name?: string
  log?: (line: string) => void
}

/**
 * Real hypervisors on one machine, joined by a bridge. The machine itself is at `gateway`,
 * where a broker can listen. All of it ends with the process that started it, even by kill -9.
 */
export type Fleet = {
  gateway: string
  /** Name of the bridge's card, such as berth77. */
  bridge: string
  /** Such as 10.77.0.0/16. */
  subnet: string
  hosts: FleetHost[]
  /** A place for a thin client on the same network. */
  addDesk(options?: DeskOptions): Promise<Desk>
  stop(): Promise<void>
}

/** Starts a fleet, its hosts side by side. Needs root and the packages of test/fleet/packages. */
export async function startFleet({
  hosts: count,
  name = 'test',
  log = () => undefined,
}: FleetOptions): Promise<Fleet> {
  if (process.getuid?.() !== 0)
    throw new Error('a fleet needs root, for namespaces and mounts; run this as root')
  await mustRun([fleetScript('packages'), '--check'])
  removeOrphanedFolders()
  await removeOrphanedBridges()
  const owner = thisProcess()
  const folder = createStateFolder(owner, name)
  const network = await createNetwork(owner)
  const fleet = emptyFleet(network, folder)
  try {
    for (let number = 1; number <= count; number++)
      fleet.hosts.push(new FleetHost(`hv${number}`, number, network, folder))
    await allOf(
      fleet.hosts.map(async (host) => {
        await host.powerOn()
        log(`${host.name} is up at ${host.address}`)
      }),
    )
  } catch (error) {
    await fleet.stop()
    throw error
  }
  return fleet
}

function emptyFleet(network: FleetNetwork, folder: string): Fleet {
  const keeper = startKeeper(network, folder)
  const hosts: FleetHost[] = []
  const desks: Desk[] = []
  // Counted before they are up, since several may be added at once.
  let desksMade = 0
  return {
    gateway: network.gateway,
    bridge: network.bridge,
    subnet: network.subnet,
    hosts,
    async addDesk(options) {
      const number = ++desksMade
      if (number > mostDesks) throw new Error(`a fleet has at most ${mostDesks} desks`)
      const desk = await Desk.create(number, network, folder, options)
      desks.push(desk)
      return desk
    },
    async stop() {
      await allOf([...hosts.map((host) => host.powerCut()), ...desks.map((desk) => desk.stop())])
      await removeBridge(network.bridge)
      await endKeeper(keeper)
    },
  }
}

/** Waits for all, so that nothing goes on behind a failure's back; then throws the first failure. */
async function allOf(works: Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(works))
    if (result.status === 'rejected') throw result.reason
}

/** Removes bridge and folder once the pipe to it closes, which the kernel does however this process ends. */
function startKeeper(network: FleetNetwork, folder: string): ChildProcess {
  const sockets = Array.from({ length: mostDesks }, (_, index) =>
    screenSocket(screenNumber(network.number, index + 1)),
  )
  const keeper = spawn(fleetScript('fleet-keeper'), [network.bridge, folder, ...sockets], {
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true,
  })
  keeper.unref()
  return keeper
}

async function endKeeper(keeper: ChildProcess): Promise<void> {
  if (keeper.exitCode !== null) return
  keeper.ref()
  const ended = once(keeper, 'exit')
  keeper.stdin?.end()
  const [code] = (await ended) as [number | null]
  if (code !== 0)
    throw new Error('the fleet keeper could not remove the state folder; its message is above')
}
