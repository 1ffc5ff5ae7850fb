import pMap from 'p-map'
import type { PowerAction } from '../api/machines.js'
import type { Hypervisors } from '../hypervisors/service.js'
import { endFailed, type JobContext } from '../jobs/context.js'
import type { JobKind } from '../jobs/runner.js'
import type { Store } from '../store/open.js'
import type { MachineUpdate } from '../store/tables.js'
import type { Asked, DomainExtrasOf } from './definition.js'
import type { Leftovers } from './leftovers.js'
import type { Observer } from './observer.js'
import type { Power } from './power.js'

export interface JobMachine {
  readonly id: string
  readonly name: string
  readonly hypervisor: string
}
export interface MachineJobDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly observer: Observer
  readonly power: Power
  readonly leftovers: Leftovers
  readonly extrasOf: DomainExtrasOf
}

export interface PowerInput {
  readonly action: PowerAction
  readonly timeoutMs: number
  readonly machines: readonly JobMachine[]
}
export interface DefineInput {
  readonly machines: readonly JobMachine[]
  readonly diskBytes: number | null
  readonly created: boolean
  /** What somebody asked to be different; of a new machine everything is. */
  readonly asked?: readonly Asked[]
  /** What the database said before: it says so again when the host refuses. */
  readonly before?: Readonly<Record<string, MachineUpdate>>
}
export interface DeleteInput {
  readonly machines: readonly JobMachine[]
  readonly force: boolean
}

/**
 * So many machines of one host are made or deleted at a time: a cancel spares the others, and what
 * has begun is taken back, or deleted to its end.
 */
export const AT_ONCE = 8

export function toJobMachine(row: { id: string; name: string; hypervisor: string }): JobMachine {
  return { id: row.id, name: row.name, hypervisor: row.hypervisor }
}

/**
 * Each machine on its own: one that fails leaves the others done. `atOnce`: so many of a host at a
 * time; a slow host does not hold the others up.
 */
export async function eachMachine<I>(
  context: JobContext<I>,
  machines: readonly JobMachine[],
  act: (machine: JobMachine) => Promise<string>,
  atOnce = machines.length,
): Promise<void> {
  const hosts = [...groupByHypervisor(machines).values()]
  await Promise.all(
    hosts.map(async (there) => {
      await pMap(
        there,
        async (machine) => {
          try {
            await context.end(machine.name, 'done', await act(machine))
          } catch (error) {
            await endFailed(context as JobContext<unknown>, machine.name, error)
          }
        },
        { concurrency: atOnce },
      )
    }),
  )
}

export function groupByHypervisor(machines: readonly JobMachine[]): Map<string, JobMachine[]> {
  const groups = new Map<string, JobMachine[]>()
  for (const machine of machines) {
    const there = groups.get(machine.hypervisor)
    if (there) there.push(machine)
    else groups.set(machine.hypervisor, [machine])
  }
  return groups
}

export function powerJob(deps: MachineJobDeps): JobKind<PowerInput> {
  return {
    kind: 'power',
    run: async (context) => {
      const { action, timeoutMs, machines } = context.input
      await eachMachine(
        context,
        machines,
        async ({ id, name }) =>
          await context.step(
            name,
            action,
            async () => await deps.power.act(id, action, timeoutMs, context.signal),
          ),
      )
    },
  }
}
