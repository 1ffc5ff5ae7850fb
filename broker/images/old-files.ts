import type { BatchItem } from '../hypervisors/helper-channel.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'
import type { Store } from '../store/open.js'

export interface OldFilesDeps {
  readonly store: Store
  readonly link: (hypervisor: string) => HypervisorLink
}

interface OldFile {
  readonly dir: 'images' | 'overlays'
  readonly name: string
  readonly owner: string
  readonly sha256?: string
  readonly bases?: readonly string[]
}

/** One request to the helper carries so many files. */
const BATCH = 200

/**
 * Marks the disks of machines that an older Berth made, so that they can be renewed and removed: an
 * overlay is proven by the generation it stands on, the disk of a source or simple machine by the
 * domain that has it. What is not proven stays unmarked, and the host refuses to touch it. Safe to
 * repeat.
 */
export async function markOldDisks(
  { store, link }: OldFilesDeps,
  hypervisor: string,
): Promise<void> {
  const rows = await store
    .selectFrom('machine')
    .select(['id', 'name', 'type', 'parent_id', 'generation_id'])
    .where('hypervisor', '=', hypervisor)
    .where('unmarked', '=', 1)
    .execute()
  for (let from = 0; from < rows.length; from += BATCH) {
    const batch = rows.slice(from, from + BATCH)
    const files: OldFile[] = []
    for (const { id, name, type, parent_id: parent, generation_id: generation } of batch) {
      const file = { name: `${name}.qcow2`, owner: id }
      if (type === 'simple' || type === 'source') files.push({ ...file, dir: 'images' })
      else if (generation !== null)
        files.push({ ...file, dir: 'overlays', bases: await filesOf(store, parent ?? id, id) })
    }
    const left = files.length === 0 ? [] : await adopt(link(hypervisor), files)
    const marked = batch.filter(({ name }) => !left.includes(`${name}.qcow2`))
    if (marked.length > 0)
      await store
        .updateTable('machine')
        .set({ unmarked: 0 })
        .where(
          'id',
          'in',
          marked.map(({ id }) => id),
        )
        .execute()
  }
}

/** As `markOldDisks`, for generations: each is proven by its checksum, which takes the time of reading it. */
export async function markOldImages(
  { store, link }: OldFilesDeps,
  hypervisor: string,
  initialId?: string,
): Promise<void> {
  const rows = await store
    .selectFrom('generation_copy')
    .innerJoin('generation', 'generation.id', 'generation_copy.generation_id')
    .select(['generation.id', 'generation.file', 'generation.sha256'])
    .where('generation_copy.hypervisor', '=', hypervisor)
    .where('generation_copy.unmarked', '=', 1)
    .$if(initialId !== undefined, (q) => q.where('generation.initial_id', '=', initialId ?? ''))
    .execute()
  for (const { id, file, sha256 } of rows) {
    if (sha256 === null) continue
    const left = await adopt(link(hypervisor), [{ dir: 'images', name: file, owner: id, sha256 }])
    if (left.length === 0)
      await store
        .updateTable('generation_copy')
        .set({ unmarked: 0 })
        .where('generation_id', '=', id)
        .where('hypervisor', '=', hypervisor)
        .execute()
  }
}

/** The names of those that could not be marked; a file that is not there any more needs no mark. */
async function adopt(link: HypervisorLink, files: readonly OldFile[]): Promise<string[]> {
  const { items } = await link.request<{ items: BatchItem[] }>(
    'files_adopt',
    { items: files },
    { timeoutMs: 0 },
  )
  return items
    .filter((item) => !item.ok && item.error?.code !== 'not_found')
    .map(({ name }) => name)
}

/** The generations that an overlay of this machine may stand on. */
async function filesOf(store: Store, parentId: string, id: string): Promise<string[]> {
  const rows = await store
    .selectFrom('generation')
    .select('file')
    .where('initial_id', 'in', [parentId, id])
    .execute()
  return rows.map(({ file }) => file)
}
