import { BERTH } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Job } from '../api/jobs.js'
import { endFailed, type JobContext } from '../jobs/context.js'
import type { JobKind } from '../jobs/runner.js'
import { requireMachine } from '../machines/store.js'
import type { MachineRow } from '../store/tables.js'
import { placeMembers } from './policy.js'
import type { Hardware } from './wishes.js'
import { addMember, enterDesktop, poolById, type PoolWithPolicy } from './store.js'
import { type BuildInput, type PoolJobDeps, unlocked, finished } from './following.js'
import { ensureInitial, ensureImage } from './build-image.js'

const FIRST_RETRY_MS = 30_000
const LAST_RETRY_MS = 30 * 60_000

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
      if (!pool) throw refusal('named_pool_gone', { pool: name })
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
  if (places.includes('')) throw refusal('no_hypervisor_for_pool')
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
      throw refusal('other_job_failed', { said: await reasonFor(deps, context, name) })
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
