import { join } from 'node:path'
import type { PowerAction } from '../api/machines.js'
import { BrokerError, type ErrorCode, sentenceOf } from '../errors.js'
import type { BatchItem } from '../hypervisors/helper-channel.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'
import type { Hypervisors } from '../hypervisors/service.js'
import { collectGenerations } from '../images/collector.js'
import { refuseWhatIsInTheWay } from '../images/in-the-way.js'
import { markOldDisks } from '../images/old-files.js'
import { copiesOf } from '../images/store.js'
import { endFailed, type JobContext, TAKEN_BACK } from '../jobs/context.js'
import type { JobKind } from '../jobs/runner.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { severalAtOnce } from '../several-at-once.js'
import type { MachineRow, MachineUpdate } from '../store/tables.js'
import {
  type Asked,
  defineMachine,
  diskOf,
  type DomainExtrasOf,
  domainOf,
  requireItems,
} from './definition.js'
import type { Leftover, Leftovers } from './leftovers.js'
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
const AT_ONCE = 8
const FIRST_CONTACT_MS = 15_000

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
      await severalAtOnce(there, atOnce, async (machine) => {
        try {
          await context.end(machine.name, 'done', await act(machine))
        } catch (error) {
          await endFailed(context as JobContext<unknown>, machine.name, error)
        }
      })
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

/** Journaled before a new machine is begun with: until then there is nothing of it on its host. */
const LOOKED = 'look'

/**
 * Makes the disk (where the machine has one of its own) and the domain. A new machine that cannot
 * be made leaves nothing behind.
 */
export function defineJob(deps: MachineJobDeps): JobKind<DefineInput> {
  return {
    kind: 'define',
    run: async (context) => {
      const { machines, diskBytes, created } = context.input
      const make = async (machine: JobMachine): Promise<string> => {
        try {
          if (context.isDone(machine.name, TAKEN_BACK))
            throw new BrokerError(
              context.signal.aborted ? 'cancelled' : 'hypervisor_refused',
              await context.finish(machine.name, TAKEN_BACK, async () => ''),
            )
          if (created)
            await context.step(machine.name, LOOKED, async () => {
              await refuseForeign(deps, machine, diskBytes !== null)
            })
          if (diskBytes !== null) {
            await context.step(machine.name, 'disk', async () => {
              await deps.hypervisors.link(machine.hypervisor).request(
                'image_create',
                { name: `${machine.name}.qcow2`, size_bytes: diskBytes, owner: machine.id },
                {
                  operation: context.operation(machine.name, 'disk'),
                  fence: context.job.fence,
                  signal: context.signal,
                },
              )
            })
          }
          await context.step(machine.name, 'define', async () => {
            await defineMachine(deps, machine.id, context.signal, context.input.asked)
          })
        } catch (error) {
          if (!created) {
            await restore(deps, context.input, machine, error)
            throw error
          }
          await context.finish(machine.name, TAKEN_BACK, async () => sentenceOf(error))
          await unmake(deps, context, machine)
          throw error
        }
        deps.observer.look(machine.hypervisor)
        return ''
      }
      await eachMachine(context, machines, make, AT_ONCE)
    },
  }
}

/**
 * A host that refuses has changed nothing, and then neither has the database; what it did when it
 * gave no answer is not known.
 */
const REFUSALS: readonly ErrorCode[] = [
  'hypervisor_refused',
  'invalid_request',
  'foreign',
  'cancelled',
]
async function restore(
  deps: MachineJobDeps,
  { before }: DefineInput,
  { id }: JobMachine,
  error: unknown,
): Promise<void> {
  const values = before?.[id]
  if (!values || !(error instanceof BrokerError) || !REFUSALS.includes(error.code)) return
  await deps.store.updateTable('machine').set(values).where('id', '=', id).execute()
}

/**
 * Before anything is changed: neither a domain nor a file that Berth did not make stands where the
 * machine is to be.
 */
async function refuseForeign(
  deps: MachineJobDeps,
  machine: JobMachine,
  ownDisk: boolean,
): Promise<void> {
  await refuseWhatIsInTheWay(deps.hypervisors.link(machine.hypervisor), [
    {
      name: machine.name,
      uuid: machine.id,
      dir: ownDisk ? 'images' : 'overlays',
      file: `${machine.name}.qcow2`,
      owner: machine.id,
    },
  ])
}

/**
 * Takes back what this job has made, and nothing else: the domain with the machine's own UUID, and
 * the disk that carries the id of this job's step. Before anything was made there is nothing to
 * take back; where the host is away it is done later.
 */
async function unmake(
  deps: MachineJobDeps,
  context: JobContext<DefineInput>,
  machine: JobMachine,
): Promise<void> {
  const { id: owner, name, hypervisor } = machine
  const madeBy = context.operation(name, 'disk')
  const made: Leftover[] = context.isDone(name, LOOKED)
    ? [
        { kind: 'domain', name, owner, made_by: null },
        { kind: 'image', name: `${name}.qcow2`, owner, made_by: madeBy },
      ]
    : []
  await inTransaction(deps.store, async (tx) => {
    await deps.leftovers.note(tx, hypervisor, made)
    await tx.deleteFrom('machine').where('id', '=', machine.id).execute()
  })
  if (made.length > 0) await deps.leftovers.clear(hypervisor)
}

/** Domain, disk, generations, row: in this order, so that what is left after a failure can be deleted again. */
export function deleteJob(deps: MachineJobDeps): JobKind<DeleteInput> {
  return {
    kind: 'delete',
    run: async (context) => {
      // Children come first: their parents' images are theirs too.
      const parents = new Set(
        (
          await deps.store
            .selectFrom('machine')
            .select('parent_id')
            .where('parent_id', 'is not', null)
            .execute()
        ).map((row) => row.parent_id),
      )
      const { machines } = context.input
      await eachMachine(
        context,
        machines.filter((machine) => !parents.has(machine.id)),
        async (machine) => await deleteOne(deps, context, machine),
        AT_ONCE,
      )
      await eachMachine(
        context,
        machines.filter((machine) => parents.has(machine.id)),
        async (machine) => await deleteOne(deps, context, machine),
        AT_ONCE,
      )
    },
  }
}

async function deleteOne(
  deps: MachineJobDeps,
  context: JobContext<DeleteInput>,
  machine: JobMachine,
): Promise<string> {
  const row = await deps.store
    .selectFrom('machine')
    .selectAll()
    .where('id', '=', machine.id)
    .executeTakeFirst()
  if (!row) return 'It was gone already.'
  if (!context.isDone(machine.name, 'off')) context.refuseIfCancelled()
  const left = await deps.store
    .selectFrom('machine')
    .select('name')
    .where('parent_id', '=', machine.id)
    .where('type', '=', 'vdi')
    .limit(1)
    .executeTakeFirst()
  if (left)
    throw new BrokerError(
      'has_dependants',
      `${left.name}, which is made from ${machine.name}, could not be deleted.`,
    )
  const link = deps.hypervisors.link(machine.hypervisor)
  // The only place where a cancel stops it: a machine without its domain, or without its disk, is of no use to anybody.
  const forget = await context.step(machine.name, 'off', async () => {
    if (row.adopted === 1) return false
    if (context.input.force && !(await answers(link))) return true
    if (context.input.force) await deps.power.powerOff(row)
    else await deps.observer.requireOff(machine.name)
    return false
  })
  const disk = diskPlace(deps, row)
  const stays =
    row.adopted === 1
      ? 'The domain and its disk were there before Berth and stay.'
      : forget
        ? `${machine.hypervisor} does not answer: the domain and its disk are removed when it is back.`
        : await removeFromHost(deps, context, machine, disk)
  await context.finish(machine.name, 'forget', async () => {
    await forgetMachine(deps, machine.id, async (tx) => {
      if (!forget) return
      await deps.leftovers.note(tx, machine.hypervisor, [
        { kind: 'domain', name: machine.name, owner: machine.id, made_by: null },
        { kind: disk.kind, name: disk.name, owner: machine.id, made_by: null },
      ])
    })
  })
  return stays
}

/** Where a machine's own disk is on its host, in the words of the helper. */
function diskPlace(
  deps: MachineJobDeps,
  row: MachineRow,
): { kind: 'image' | 'overlay'; dir: 'images' | 'overlays'; name: string } {
  const hypervisor = deps.hypervisors.row(row.hypervisor)
  const overlay = (row.disk ?? diskOf(row, hypervisor)).startsWith(
    join(hypervisor.overlays_dir, '/'),
  )
  const name = `${row.name}.qcow2`
  return overlay
    ? { kind: 'overlay', dir: 'overlays', name }
    : { kind: 'image', dir: 'images', name }
}

/**
 * Undefines the domain with the machine's UUID and removes the disk that was made for it; says what
 * turned out to be somebody else's and stays.
 */
async function removeFromHost(
  deps: MachineJobDeps,
  context: JobContext<DeleteInput>,
  machine: JobMachine,
  disk: { dir: 'images' | 'overlays'; name: string },
): Promise<string> {
  const link = deps.hypervisors.link(machine.hypervisor)
  await context.finish(machine.name, 'undefine', async () => {
    // The domain is what proves that a disk of an older Berth is the machine's.
    await markOldDisks({ store: deps.store, link: () => link }, machine.hypervisor)
    await link.request('domain_undefine', domainOf(machine))
  })
  return await context.finish(machine.name, 'disk', async () => {
    const { items } = await link.request<{ items: BatchItem[] }>('image_remove', {
      dir: disk.dir,
      items: [{ name: disk.name, owner: machine.id }],
    })
    const foreign = items.find((item) => item.error?.code === 'foreign')
    if (foreign) return foreign.error?.message ?? ''
    requireItems(machine.hypervisor, items)
    return ''
  })
}

/** A host to which the broker still connects, since it has just started, is waited for. */
async function answers(link: HypervisorLink): Promise<boolean> {
  if (link.status().state === 'connecting') await link.untilUp(FIRST_CONTACT_MS).catch(() => {})
  return link.status().state === 'up'
}

async function forgetMachine(
  deps: MachineJobDeps,
  id: string,
  also: (tx: Queries) => Promise<void>,
): Promise<void> {
  await deps.store
    .updateTable('machine')
    .set({ generation_id: null, wanted_generation_id: null })
    .where('id', '=', id)
    .execute()
  await deps.store
    .updateTable('generation')
    .set({ current: 0, state: 'collecting' })
    .where('initial_id', '=', id)
    .execute()
  await collectGenerations({ store: deps.store, link: (name) => deps.hypervisors.link(name) }, id)
  const generations = await deps.store
    .selectFrom('generation')
    .select('id')
    .where('initial_id', '=', id)
    .execute()
  for (const generation of generations) {
    const where = await copiesOf(deps.store, generation.id)
    if (where.length > 0)
      throw new BrokerError(
        'hypervisor_unreachable',
        `Its images on ${where.join(', ')} could not be removed: try again when that answers.`,
      )
  }
  await inTransaction(deps.store, async (tx) => {
    await also(tx)
    await tx.updateTable('machine').set({ parent_id: null }).where('parent_id', '=', id).execute()
    await tx.deleteFrom('machine').where('id', '=', id).execute()
  })
}
