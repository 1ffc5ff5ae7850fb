import { join } from 'node:path'
import { refusal } from '../errors/broker-error.js'
import type { BatchItem } from '../hypervisors/helper-channel.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'
import { collectGenerations } from '../images/collector.js'
import { markOldDisks } from '../images/old-files.js'
import { copiesOf } from '../images/store.js'
import type { JobContext } from '../jobs/context.js'
import type { JobKind } from '../jobs/runner.js'
import type { Queries } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { MachineRow } from '../store/tables.js'
import { diskOf, domainOf, requireItems } from './definition.js'
import {
  AT_ONCE,
  type DeleteInput,
  eachMachine,
  type JobMachine,
  type MachineJobDeps,
} from './jobs.js'

const FIRST_CONTACT_MS = 15_000

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
  await refuseDependants(deps, machine)
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

async function refuseDependants(deps: MachineJobDeps, machine: JobMachine): Promise<void> {
  const left = await deps.store
    .selectFrom('machine')
    .select('name')
    .where('parent_id', '=', machine.id)
    .where('type', '=', 'vdi')
    .limit(1)
    .executeTakeFirst()
  if (left) throw refusal('child_left', { child: left.name, machine: machine.name })
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
    if (where.length > 0) throw refusal('images_left', { hypervisors: where })
  }
  await inTransaction(deps.store, async (tx) => {
    await also(tx)
    await tx.updateTable('machine').set({ parent_id: null }).where('parent_id', '=', id).execute()
    await tx.deleteFrom('machine').where('id', '=', id).execute()
  })
}
