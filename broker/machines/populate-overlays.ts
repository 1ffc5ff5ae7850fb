import { createHash } from 'node:crypto'
import type { BatchItem } from '../hypervisors/helper-channel.js'
import type { JobContext } from '../jobs/context.js'
import type { JobMachine, MachineJobDeps } from './jobs.js'
import { inTransaction } from '../store/transaction.js'

/** Which generation the overlays are to stand on. */
interface OnGeneration {
  readonly generation: { readonly id: string; readonly file: string }
}

/** Makes the overlays of some machines of a host at once; gives the machines that have theirs. */
export async function makeOverlays(
  deps: Pick<MachineJobDeps, 'store' | 'hypervisors'>,
  context: JobContext<OnGeneration>,
  hypervisor: string,
  batch: readonly JobMachine[],
): Promise<JobMachine[]> {
  if (batch.length === 0) return []
  const { generation } = context.input
  const items = await createOverlays(deps, context, hypervisor, batch)
  const made = batch.filter(
    (machine) => items.find((item) => item.name === `${machine.name}.qcow2`)?.ok,
  )
  for (const machine of batch.filter((one) => !made.includes(one))) {
    const item = items.find((one) => one.name === `${machine.name}.qcow2`)
    await context.end(
      machine.name,
      'failed',
      `${hypervisor}: ${item?.error?.message ?? 'the overlay was not made'}`,
    )
  }
  await noteOverlays(deps, generation.id, made)
  if (made.length > 0)
    await context.record(
      made.map(({ name }) => name),
      'overlay',
      null,
    )
  return made
}

/** One request for all; what it says of each of them. */
async function createOverlays(
  deps: Pick<MachineJobDeps, 'hypervisors'>,
  context: JobContext<OnGeneration>,
  hypervisor: string,
  batch: readonly JobMachine[],
): Promise<BatchItem[]> {
  const items = batch.map(({ id, name }) => ({
    name: `${name}.qcow2`,
    base: context.input.generation.file,
    fresh: true,
    owner: id,
  }))
  const operation = context.operation(
    hypervisor,
    `overlay-${createHash('sha256')
      .update(items.map((item) => item.name).join())
      .digest('hex')
      .slice(0, 16)}`,
  )
  const result = await context.patiently(
    async () =>
      await deps.hypervisors.link(hypervisor).request<{ items: BatchItem[] }>(
        'overlay_create',
        { items },
        {
          operation,
          fence: context.job.fence,
          signal: context.signal,
          timeoutMs: 10 * 60_000,
        },
      ),
  )
  return result.items
}

async function noteOverlays(
  deps: Pick<MachineJobDeps, 'store'>,
  generationId: string,
  made: readonly JobMachine[],
): Promise<void> {
  await inTransaction(deps.store, async (tx) => {
    for (const { id } of made) {
      await tx
        .updateTable('machine')
        .set({ generation_id: generationId, wanted_generation_id: null })
        .where('id', '=', id)
        .execute()
    }
  })
}
