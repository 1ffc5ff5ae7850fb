import { basename, dirname } from 'node:path'
import { refusal } from '../errors/broker-error.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'
import { endFailed, type JobContext } from '../jobs/context.js'
import type { JobKind } from '../jobs/runner.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { carryImage } from './carry.js'
import { collectGenerations } from './collector.js'
import { refuseWhatIsInTheWay } from './in-the-way.js'
import { markOldDisks } from './old-files.js'
import { activateGeneration, copiesOf, recordCopy, type WrittenImage } from './store.js'

export interface CopyInput {
  readonly generation: { readonly id: string; readonly initialId: string; readonly file: string }
  readonly source: { readonly name: string; readonly hypervisor: string; readonly disk: string }
  readonly initial: { readonly name: string; readonly hypervisor: string }
  /** Further hypervisors on which machines of the initial live. */
  readonly carryTo: readonly string[]
}

export interface ImageDeps {
  readonly store: Store
  readonly link: (hypervisor: string) => HypervisorLink
  /** Throws `machine_running` unless libvirt says that the machine is off. */
  readonly requireOff: (machine: string) => Promise<void>
}

/**
 * *Copy disk from source*: a new immutable generation, which becomes the current one only when it
 * is written, verified and durable.
 */
export function copyJob(deps: ImageDeps): JobKind<CopyInput> {
  return {
    kind: 'copy',
    run: async (context) => {
      const { generation, source, initial, carryTo } = context.input
      await context.step(
        initial.name,
        'reserve',
        async () => {},
        async () => {
          await takeBack(deps, context.input)
        },
      )
      await context.step(initial.name, 'look', async () => {
        await refuseForeign(deps, context.input)
      })
      const image = await writeGeneration(deps, context)
      await context.step(initial.name, 'activate', async () => {
        await inTransaction(deps.store, async (tx) => {
          await activateGeneration(tx, generation, image)
          await recordCopy(tx, generation.id, source.hypervisor)
        })
      })
      context.pointOfNoReturn()
      await Promise.all(
        carryTo.map(async (hypervisor) => {
          await carryTarget(deps, context, hypervisor, image)
        }),
      )
      await bootOverlay(deps, context)
      await context.end(initial.name, 'done')
    },
  }
}

/**
 * Before anything is changed: where the image and the boot disk of the initial are to lie there
 * must be nothing of others.
 */
async function refuseForeign(
  deps: ImageDeps,
  { generation, source, initial, carryTo }: CopyInput,
): Promise<void> {
  const image = { name: initial.name, file: generation.file, owner: generation.id }
  const reached = carryTo.filter((hypervisor) => deps.link(hypervisor).status().state === 'up')
  for (const hypervisor of [source.hypervisor, ...reached])
    await refuseWhatIsInTheWay(deps.link(hypervisor), [image])
  if (deps.link(initial.hypervisor).status().state !== 'up') return // the overlay itself is refused there later
  await markOldDisks(deps, initial.hypervisor)
  await refuseWhatIsInTheWay(deps.link(initial.hypervisor), [
    {
      name: initial.name,
      dir: 'overlays',
      file: `${initial.name}.qcow2`,
      owner: generation.initialId,
    },
  ])
}

async function writeGeneration(
  deps: ImageDeps,
  context: JobContext<CopyInput>,
): Promise<WrittenImage> {
  const { generation, source, initial } = context.input
  const link = deps.link(source.hypervisor)
  return await context.step(initial.name, 'write', async () => {
    await deps.requireOff(source.name)
    await deps.requireOff(initial.name)
    // The finished file of an attempt whose answer and journal entry were lost carries this
    // operation: then the host gives its result again.
    return await link.request<WrittenImage>(
      'image_copy',
      { source: diskPlace(link, source), name: generation.file, owner: generation.id },
      {
        operation: context.operation(initial.name, 'write'),
        fence: context.job.fence,
        signal: context.signal,
        timeoutMs: 0,
        onProgress: ({ done, total }) => {
          context.progress(initial.name, done, total)
        },
      },
    )
  })
}

/**
 * The generation becomes one to be collected, and is collected; what lies on a host that is away is
 * collected another time. Safe to repeat.
 */
async function takeBack(deps: ImageDeps, { generation, source }: CopyInput): Promise<void> {
  const { numUpdatedRows } = await deps.store
    .updateTable('generation')
    .set({ state: 'collecting' })
    .where('id', '=', generation.id)
    .where('state', 'in', ['copying', 'collecting'])
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return
  await recordCopy(deps.store, generation.id, source.hypervisor)
  await collectGenerations(deps, generation.initialId)
}

async function carryTarget(
  deps: ImageDeps,
  context: JobContext<CopyInput>,
  hypervisor: string,
  image: WrittenImage,
): Promise<void> {
  const { generation } = context.input
  try {
    await context.finish(hypervisor, 'carry', async () => {
      // after a cancel it only looks whether it had arrived
      await ensureOnHypervisor(
        deps,
        { id: generation.id, file: generation.file, sha256: image.sha256, bytes: image.bytes },
        hypervisor,
        context.signal,
        (done, total) => {
          context.progress(hypervisor, done, total)
        },
      )
    })
    await context.end(hypervisor, 'done')
  } catch (error) {
    await endFailed(context as JobContext<unknown>, hypervisor, error)
  }
}

/**
 * Brings a generation to a hypervisor unless it lies there; safe to repeat. Throws
 * `hypervisor_unreachable` when no holder of it is up.
 */
export async function ensureOnHypervisor(
  deps: ImageDeps,
  generation: { id: string; file: string; sha256: string; bytes: number },
  hypervisor: string,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const holders = await copiesOf(deps.store, generation.id)
  if (holders.includes(hypervisor)) return
  const holder = holders.find((name) => deps.link(name).status().state === 'up')
  if (holder === undefined)
    throw holders.length === 0
      ? refusal('image_nowhere', { file: generation.file, hypervisor })
      : refusal('image_holders_away', { file: generation.file, hypervisors: holders, hypervisor })
  await carryImage(deps.link(holder), deps.link(hypervisor), generation, signal, onProgress)
  await recordCopy(deps.store, generation.id, hypervisor)
}

/** The initial's own domain boots an overlay, so that a test boot never touches the generation. */
async function bootOverlay(deps: ImageDeps, context: JobContext<CopyInput>): Promise<void> {
  const { initial, generation } = context.input
  await context.finish(initial.name, 'boot-disk', async () => {
    const { items } = await deps
      .link(initial.hypervisor)
      .request<{ items: Array<{ ok: boolean; error?: { message: string } }> }>(
        'overlay_create',
        {
          items: [
            {
              name: `${initial.name}.qcow2`,
              base: generation.file,
              fresh: true,
              owner: generation.initialId,
            },
          ],
        },
        { fence: context.job.fence },
      )
    const failed = items.find((item) => !item.ok)
    if (failed)
      throw failed.error
        ? refusal('host_refused', { hypervisor: initial.hypervisor, said: failed.error.message })
        : refusal('boot_disk_failed', { hypervisor: initial.hypervisor })
    await deps.store
      .updateTable('machine')
      .set({ generation_id: generation.id })
      .where('id', '=', generation.initialId)
      .execute()
  })
}

/** A disk in the words of the helper, which touches only files of its own directories. */
function diskPlace(
  link: HypervisorLink,
  source: { name: string; disk: string },
): { dir: 'images' | 'overlays'; name: string } {
  const directories = link.status().facts?.directories
  const name = basename(source.disk)
  if (dirname(source.disk) === directories?.images.path) return { dir: 'images', name }
  if (dirname(source.disk) === directories?.overlays.path) return { dir: 'overlays', name }
  throw refusal('disk_outside', {
    machine: source.name,
    disk: source.disk,
    directory: directories?.images.path ?? 'the image directory',
    hypervisor: link.name,
  })
}
