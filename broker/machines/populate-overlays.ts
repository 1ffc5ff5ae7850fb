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
  const items = batch.map(({ id, name }) => ({
    name: `${name}.qcow2`,
    base: generation.file,
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
  const made = batch.filter(
    (machine) => result.items.find((item) => item.name === `${machine.name}.qcow2`)?.ok,
  )
  for (const machine of batch.filter((one) => !made.includes(one))) {
    const item = result.items.find((one) => one.name === `${machine.name}.qcow2`)
    await context.end(
      machine.name,
      'failed',
      `${hypervisor}: ${item?.error?.message ?? 'the overlay was not made'}`,
    )
  }
  await inTransaction(deps.store, async (tx) => {
    for (const { id } of made) {
      await tx
        .updateTable('machine')
        .set({ generation_id: generation.id, wanted_generation_id: null })
        .where('id', '=', id)
        .execute()
    }
  })
  if (made.length > 0)
    await context.record(
      made.map(({ name }) => name),
      'overlay',
      null,
    )
  return made
}
