import { BERTH } from '../audit/store.js'
import { BrokerError } from '../errors/broker-error.js'
import type { JobContext } from '../jobs/context.js'
import { requireMachine } from '../machines/store.js'
import type { Hardware } from './wishes.js'
import { poolById, type PoolWithPolicy } from './store.js'
import { type BuildInput, type PoolJobDeps, unlocked, follow } from './following.js'

/** Another job was quicker, so often. */
export const OTHER_JOB_TRIES = 20

/** The name of the pool's initial machine; made from the golden machine where there is none. */
export async function ensureInitial(
  deps: PoolJobDeps,
  context: JobContext<BuildInput>,
  pool: PoolWithPolicy,
): Promise<string> {
  const hardware = JSON.parse(pool.hardware) as Hardware
  const current = (await poolById(deps.store, pool.id))?.initial_id ?? null
  if (current !== null)
    return (
      await deps.store
        .selectFrom('machine')
        .select('name')
        .where('id', '=', current)
        .executeTakeFirstOrThrow()
    ).name
  const golden = await requireMachine(deps.store, hardware.golden ?? '')
  const name = `${pool.name}-golden`
  const parent = golden.type === 'source' || golden.type === 'simple' ? { parent: golden.name } : {}
  const wish = {
    type: 'initial' as const,
    memoryMib: golden.memory_mib,
    vcpus: golden.vcpus,
    network: golden.network,
    firmware: golden.firmware,
    ...parent,
    ...(golden.domain_xml === null || golden.adopted === 1 ? {} : { domainXml: golden.domain_xml }),
  }
  const { job } = await deps.machines.createNamed(
    wish,
    [{ name, hypervisor: golden.hypervisor }],
    BERTH,
    async (tx, [machine]) => {
      await tx
        .updateTable('pool')
        .set({ initial_id: machine?.id ?? null, initial_made: 1 })
        .where('id', '=', pool.id)
        .execute()
    },
  )
  await follow(deps.jobs, context, job)
  return name
}

/**
 * Waits for a job that another call, or this one before a crash, began; then copies the golden disk
 * unless there is an image. Another pool may be made from the same golden machine at this moment:
 * then it is copied after that.
 */
export async function ensureImage(
  deps: PoolJobDeps,
  context: JobContext<BuildInput>,
  initial: string,
  hardware: Hardware,
): Promise<void> {
  const row = await requireMachine(deps.store, initial)
  const golden =
    hardware.golden === undefined ? row : await requireMachine(deps.store, hardware.golden)
  for (let tries = 0; ; tries += 1) {
    await unlocked(deps, context, [row.id, golden.id])
    const ready = await deps.store
      .selectFrom('generation')
      .select('id')
      .where('initial_id', '=', row.id)
      .where('current', '=', 1)
      .executeTakeFirst()
    if (ready) return
    const job = await deps.images.copy(initial, hardware.golden, BERTH).catch((error: unknown) => {
      if (!(error instanceof BrokerError && error.code === 'busy') || tries >= OTHER_JOB_TRIES)
        throw error
      return null
    })
    if (job !== null) return await follow(deps.jobs, context, job)
  }
}
