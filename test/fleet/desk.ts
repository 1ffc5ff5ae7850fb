import { type ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fleetScript, runCommand, type CommandResult } from './command.js'
import { runInside, spawnInside, type InsideOptions, type RunOptions } from './inside.js'
import { createNamespace, withNetwork, type Namespace } from './namespace.js'
import { plugCable, setCable, type FleetNetwork } from './network.js'

export type DeskOptions = { mac?: string }

export const mostDesks = 50

/**
 * A thin client's place: an address, a MAC, a host name and a process table of its own,
 * on the machine's files. What runs there dies with the desk, and the desk with the fleet.
 */
export class Desk {
  readonly name: string
  readonly address: string
  readonly mac: string
  /** A folder of its own, for its settings and pictures; removed with the fleet. */
  readonly stateDir: string
  /** Number of an X display that no other desk has; desks share /tmp, so it must be unique. */
  readonly screenNumber: number
  readonly #namespace: Namespace
  readonly #cable: string

  private constructor(
    number: number,
    network: FleetNetwork,
    mac: string,
    stateDir: string,
    namespace: Namespace,
  ) {
    this.name = deskName(number)
    this.address = deskAddress(number, network)
    this.mac = mac
    this.stateDir = stateDir
    this.screenNumber = screenNumber(network.number, number)
    this.#namespace = namespace
    this.#cable = deskCable(number, network)
  }

  static async create(
    number: number,
    network: FleetNetwork,
    fleetDir: string,
    options: DeskOptions = {},
  ): Promise<Desk> {
    const stateDir = join(fleetDir, deskName(number))
    mkdirSync(stateDir)
    const mac = options.mac ?? `52:54:00:${hex(network.number)}:02:${hex(number)}`
    const address = [`${deskAddress(number, network)}/16`, network.gateway]
    const namespace = await createNamespace(
      [fleetScript('desk-init'), deskName(number), ...address],
      {
        flags: ['--net', '--mount', '--uts', '--pid'],
        logFile: join(stateDir, 'console.log'),
      },
    )
    await withNetwork(namespace, () =>
      plugCable(network, deskCable(number, network), namespace.pid, mac),
    )
    return new Desk(number, network, mac, stateDir, namespace)
  }

  /** Number, outside, of the desk's first process. */
  get pid(): number {
    return this.#namespace.pid
  }

  run(argv: string[], options?: RunOptions): Promise<CommandResult> {
    return runInside(this.pid, argv, { cwd: process.cwd(), ...options })
  }

  spawnInside(argv: string[], options?: InsideOptions): ChildProcessWithoutNullStreams {
    return spawnInside(this.pid, argv, { cwd: process.cwd(), ...options })
  }

  async cut(): Promise<void> {
    await setCable(this.#cable, 'down')
  }

  async heal(): Promise<void> {
    await setCable(this.#cable, 'up')
  }

  async stop(): Promise<void> {
    await this.#namespace.destroy()
    await runCommand(['ip', 'link', 'delete', 'dev', this.#cable])
  }
}

/** Two last digits count the desks of a network. */
export const screenNumber = (network: number, desk: number) => network * 100 + desk
const deskName = (number: number) => `desk${number}`
const deskAddress = (number: number, network: FleetNetwork) => `10.${network.number}.2.${number}`
const deskCable = (number: number, network: FleetNetwork) => `b${network.number}d${number}`
const hex = (value: number) => value.toString(16).padStart(2, '0')
