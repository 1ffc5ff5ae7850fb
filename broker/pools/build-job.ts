import { BERTH } from '../audit/store.js'
import { BrokerError } from '../errors.js'
import type { Job } from '../api/jobs.js'
import type { Hypervisors } from '../hypervisors/service.js'
import { endFailed, type JobContext } from '../jobs/context.js'
import type { JobKind, JobRunner } from '../jobs/runner.js'
import type { GoldenImages } from '../machines/golden-images.js'
import type { Machines } from '../machines/service.js'
import { requireMachine } from '../machines/store.js'
import type { Store } from '../store/open.js'
import type { MachineRow } from '../store/tables.js'
import { placeMembers } from './policy.js'
import type { Hardware } from './wishes.js'
import { addMember, enterDesktop, poolById, type PoolWithPolicy } from './store.js'

export interface BuildInput {
  readonly pool: { readonly id: string; readonly name: string }
  readonly names: readonly string[]
}
export interface PoolJobDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly machines: Machines
  readonly images: GoldenImages
  readonly jobs: JobRunner
  readonly now: () => number
}

const FIRST_RETRY_MS = 30_000
const LAST_RETRY_MS = 30 * 60_000
/** Another job was quicker, so often. */
export const OTHER_JOB_TRIES = 20

/**
 * Makes the golden image where the pool has none yet, then the members that are missing. It looks
 * at what there is before each step, so that it can be repeated; each member succeeds or fails on
 * its own, and what is half-made of one that failed is removed.
 */
export function buildJob(deps: PoolJobDeps): JobKind<BuildInput> {
  return {
    kind: 'pool-build',
    run: async (context) => {
      const {
        pool: { id, name },
        names,
      } = context.input
      const pool = await poolById(deps.store, id)
      if (!pool) throw new BrokerError('not_found', `The pool ${name} was deleted meanwhile.`)
      await waitBeforeNext(deps, pool, pool.tries + 1) // until it is known that this try succeeded
      const image = `${name} golden image`
      const initial = await context.step(
        image,
        'initial',
        async () => await ensureInitial(deps, context, pool),
      )
      await context.step(image, 'image', async () => {
        await ensureImage(deps, context, initial, JSON.parse(pool.hardware) as Hardware)
      })
      await context.end(image, 'done')
      await context.step(image, 'members', async () => {
        await createMembers(deps, context, pool, initial)
      })
      await context.step(image, 'overlays', async () => {
        await makeOverlays(deps, context, initial)
      })
      const finished = await Promise.all(
        names.map(async (member) => await finishMember(deps, context, member)),
      )
      if (finished.every(Boolean)) await waitBeforeNext(deps, pool, 0)
    },
  }
}

/** The name of the pool's initial machine; made from the golden machine where there is none. */
async function ensureInitial(
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
async function ensureImage(
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

async function createMembers(
  deps: PoolJobDeps,
  context: JobContext<BuildInput>,
  pool: PoolWithPolicy,
  initialName: string,
): Promise<void> {
  const existing = await rowsOf(deps, context)
  const missing = context.input.names.filter((name) => !existing.some((row) => row.name === name))
  if (missing.length === 0) return
  const initial = await requireMachine(deps.store, initialName)
  const hardware = JSON.parse(pool.hardware) as Hardware
  const memoryMib = hardware.memoryMib ?? initial.memory_mib
  const places = placeMembers(missing.length, memoryMib, await placesFor(deps, pool))
  if (places.includes(''))
    throw new BrokerError(
      'hypervisor_unreachable',
      'No hypervisor on which the pool may live is up and out of maintenance.',
    )
  const { golden: _, ...wishes } = hardware
  const wish = {
    type: 'vdi' as const,
    parent: initial.name,
    memoryMib,
    vcpus: initial.vcpus,
    network: initial.network,
    firmware: initial.firmware,
    ...(initial.domain_xml === null ? {} : { domainXml: initial.domain_xml }),
    ...wishes,
  }
  const { job } = await deps.machines.createNamed(
    wish,
    missing.map((name, index) => ({ name, hypervisor: places[index] ?? '' })),
    BERTH,
    async (tx, machines) => {
      for (const machine of machines)
        await addMember(tx, pool.id, machine, { built: true, state: 'building' }, deps.now())
    },
  )
  await noteFailures(context, await finished(deps.jobs, context, job))
}

async function placesFor(deps: PoolJobDeps, pool: PoolWithPolicy) {
  const allowed = JSON.parse(pool.hypervisors) as string[]
  const members = await deps.store
    .selectFrom('pool_member')
    .select((eb) => ['hypervisor', eb.fn.countAll<number>().as('count')])
    .where('pool_id', '=', pool.id)
    .groupBy('hypervisor')
    .execute()
  return deps.hypervisors
    .names()
    .filter(
      (name) =>
        (allowed.length === 0 || allowed.includes(name)) &&
        deps.hypervisors.row(name).maintenance === 0 &&
        deps.hypervisors.link(name).status().state === 'up',
    )
    .map((hypervisor) => ({
      hypervisor,
      freeMib: deps.hypervisors.link(hypervisor).status().facts?.memory_free_mib ?? 0,
      members: Number(members.find((row) => row.hypervisor === hypervisor)?.count ?? 0),
    }))
}

/** Populates the new members only. */
async function makeOverlays(
  deps: PoolJobDeps,
  context: JobContext<BuildInput>,
  initial: string,
): Promise<void> {
  const rows = await rowsOf(deps, context)
  await unlocked(
    deps,
    context,
    rows.map((row) => row.id),
  )
  const bare = (await rowsOf(deps, context))
    .filter((row) => row.generation_id === null)
    .map((row) => row.id)
  if (bare.length > 0)
    await noteFailures(
      context,
      await finished(deps.jobs, context, await deps.images.populate(initial, {}, BERTH, bare)),
    )
}

/** A member that has its disk can be claimed; what there is of another one is removed. */
async function finishMember(
  deps: PoolJobDeps,
  context: JobContext<BuildInput>,
  name: string,
): Promise<boolean> {
  try {
    // Also after a cancel: a member that has its disk is one, and of another one nothing is left.
    await context.finish(name, 'ready', async () => {
      const row = await deps.store
        .selectFrom('machine')
        .selectAll()
        .where('name', '=', name)
        .executeTakeFirst()
      if (row && row.generation_id !== null)
        return void (await enterDesktop(deps.store, row.id, 'free', {}, deps.now(), ['building']))
      if (row) await deps.jobs.ended(await deps.machines.remove(name, true, BERTH))
      context.refuseIfCancelled()
      throw new BrokerError('hypervisor_refused', await reasonFor(deps, context, name))
    })
    await context.end(name, 'done')
    return true
  } catch (error) {
    await endFailed(context as JobContext<unknown>, name, error)
    return false
  }
}

/** What fails is tried again by the keeper, less and less often. `tries`: how many have failed; 0: all is well. */
async function waitBeforeNext(
  deps: PoolJobDeps,
  pool: { id: string },
  tries: number,
): Promise<void> {
  const retryAt =
    tries === 0 ? 0 : deps.now() + Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (tries - 1))
  await deps.store
    .updateTable('pool')
    .set({ tries, retry_at: retryAt })
    .where('id', '=', pool.id)
    .execute()
}

async function rowsOf(deps: PoolJobDeps, context: JobContext<BuildInput>): Promise<MachineRow[]> {
  const { names } = context.input
  return names.length === 0
    ? []
    : await deps.store
        .selectFrom('machine')
        .selectAll()
        .where('name', 'in', [...names])
        .execute()
}

/** Waits until no job works on these machines. */
async function unlocked(
  deps: PoolJobDeps,
  context: JobContext<BuildInput>,
  ids: readonly string[],
): Promise<void> {
  const locks =
    ids.length === 0
      ? []
      : await deps.store
          .selectFrom('job_lock')
          .select('job_id')
          .distinct()
          .where('machine_id', 'in', [...ids])
          .execute()
  for (const { job_id } of locks) await finished(deps.jobs, context, job_id)
}

/** Follows a job of another room to its end; a cancel of this one cancels that one. */
export async function finished(
  jobs: JobRunner,
  context: JobContext<never> | JobContext<BuildInput>,
  id: string,
): Promise<Job> {
  const cancel = (): void => {
    jobs.cancel(id, BERTH).catch(() => {})
  } // it may have ended meanwhile
  if (context.signal.aborted) cancel()
  context.signal.addEventListener('abort', cancel)
  try {
    return await jobs.ended(id)
  } finally {
    context.signal.removeEventListener('abort', cancel)
  }
}

/** As `finished`; throws when it did not succeed. */
export async function follow(
  jobs: JobRunner,
  context: JobContext<never> | JobContext<BuildInput>,
  id: string,
): Promise<void> {
  const job = await finished(jobs, context, id)
  if (job.state !== 'succeeded')
    throw new BrokerError(
      job.state === 'cancelled' ? 'cancelled' : 'hypervisor_refused',
      job.targets.find((target) => target.state === 'failed')?.message ?? job.message,
    )
}

/** The sentences of members that failed in a job of another room are those of this job's targets. */
async function noteFailures(context: JobContext<BuildInput>, job: Job): Promise<void> {
  for (const target of job.targets.filter(
    (one) => one.state === 'failed' && context.input.names.includes(one.name),
  )) {
    await context.record([target.name], 'failure', target.message)
  }
}

async function reasonFor(
  deps: PoolJobDeps,
  context: JobContext<BuildInput>,
  name: string,
): Promise<string> {
  const noted = await deps.store
    .selectFrom('job_step')
    .select('result')
    .where('job_id', '=', context.job.id)
    .where('target', '=', name)
    .where('step', '=', 'failure')
    .executeTakeFirst()
  return noted ? String(JSON.parse(noted.result)) : 'It was not made.'
}
