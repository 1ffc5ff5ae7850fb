import { join } from 'node:path'
import type { PowerAction } from '../api/machines.js'
import { BrokerError, sentenceOf } from '../errors.js'
import type { BatchItem } from '../hypervisors/helper-channel.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'
import type { Hypervisors } from '../hypervisors/service.js'
import { collectGenerations } from '../images/collector.js'
import { copiesOf } from '../images/store.js'
import { endFailed, type JobContext } from '../jobs/context.js'
import type { JobKind } from '../jobs/runner.js'
import type { Store } from '../store/open.js'
import { defineMachine, diskOf, type DomainExtrasOf, requireItems } from './definition.js'
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
}
export interface DeleteInput {
  readonly machines: readonly JobMachine[]
  readonly force: boolean
}

const FIRST_CONTACT_MS = 15_000

export function toJobMachine(row: { id: string; name: string; hypervisor: string }): JobMachine {
  return { id: row.id, name: row.name, hypervisor: row.hypervisor }
}

/** Each machine on its own: one that fails leaves the others done. */
export async function eachMachine<I>(
  context: JobContext<I>,
  machines: readonly JobMachine[],
  act: (machine: JobMachine) => Promise<string>,
): Promise<void> {
  await Promise.all(
    machines.map(async (machine) => {
      try {
        await context.end(machine.name, 'done', await act(machine))
      } catch (error) {
        await endFailed(context as JobContext<unknown>, machine.name, error)
      }
    }),
  )
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

/** Journaled with its reason before a new machine is taken back: who takes the job over goes on with that instead of making it anew. */
const TAKEN_BACK = 'taken back'

/** Makes the disk (where the machine has one of its own) and the domain. A new machine that cannot be made leaves nothing behind. */
export function defineJob(deps: MachineJobDeps): JobKind<DefineInput> {
  return {
    kind: 'define',
    run: async (context) => {
      const { machines, diskBytes, created } = context.input
      await eachMachine(context, machines, async (machine) => {
        try {
          if (context.isDone(machine.name, TAKEN_BACK))
            throw new BrokerError(
              context.signal.aborted ? 'cancelled' : 'hypervisor_refused',
              await context.finish(machine.name, TAKEN_BACK, async () => ''),
            )
          if (diskBytes !== null) {
            await context.step(machine.name, 'disk', async () => {
              await deps.hypervisors
                .link(machine.hypervisor)
                .request(
                  'image_create',
                  { name: `${machine.name}.qcow2`, size_bytes: diskBytes },
                  { operation: context.operation(machine.name, 'disk'), fence: context.job.fence },
                )
            })
          }
          await context.step(machine.name, 'define', async () => {
            await defineMachine(deps, machine.id)
          })
        } catch (error) {
          if (!created) throw error
          await context.finish(machine.name, TAKEN_BACK, async () => sentenceOf(error))
          await unmake(deps, machine, diskBytes !== null)
          throw error
        }
        deps.observer.look(machine.hypervisor)
        return ''
      })
    },
  }
}

async function unmake(deps: MachineJobDeps, machine: JobMachine, ownDisk: boolean): Promise<void> {
  const link = deps.hypervisors.link(machine.hypervisor)
  if (link.status().state === 'up') {
    await link.request('domain_undefine', { name: machine.name })
    if (ownDisk)
      await link.request('image_remove', { dir: 'images', names: [`${machine.name}.qcow2`] })
  }
  await deps.store.deleteFrom('machine').where('id', '=', machine.id).execute()
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
      )
      await eachMachine(
        context,
        machines.filter((machine) => parents.has(machine.id)),
        async (machine) => await deleteOne(deps, context, machine),
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
  if (row.adopted === 0 && !forget) {
    await context.finish(machine.name, 'undefine', async () => {
      await link.request('domain_undefine', { name: machine.name })
    })
    await context.finish(machine.name, 'disk', async () => {
      const disk = row.disk ?? diskOf(row, deps.hypervisors.row(row.hypervisor))
      const dir = disk.startsWith(join(deps.hypervisors.row(row.hypervisor).overlays_dir, '/'))
        ? 'overlays'
        : 'images'
      const { items } = await link.request<{ items: BatchItem[] }>('image_remove', {
        dir,
        names: [`${machine.name}.qcow2`],
      })
      requireItems(machine.hypervisor, items)
    })
  }
  await context.finish(machine.name, 'forget', async () => {
    await forgetMachine(deps, machine.id)
  })
  return forget
    ? `${machine.hypervisor} does not answer: the domain and its disk were left there.`
    : row.adopted === 1
      ? 'The domain and its disk were there before Berth and stay.'
      : ''
}

/** A host to which the broker still connects, since it has just started, is waited for. */
async function answers(link: HypervisorLink): Promise<boolean> {
  if (link.status().state === 'connecting') await link.untilUp(FIRST_CONTACT_MS).catch(() => {})
  return link.status().state === 'up'
}

async function forgetMachine(deps: MachineJobDeps, id: string): Promise<void> {
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
  await deps.store.transaction().execute(async (tx) => {
    await tx.updateTable('machine').set({ parent_id: null }).where('parent_id', '=', id).execute()
    await tx.deleteFrom('machine').where('id', '=', id).execute()
  })
}
