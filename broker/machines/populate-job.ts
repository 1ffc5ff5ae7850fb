import pMap from 'p-map'
import { type ImageDeps, ensureOnHypervisor } from '../images/copy-job.js'
import { whatIsInTheWay } from '../images/in-the-way.js'
import { markOldDisks } from '../images/old-files.js'
import { endFailed, type JobContext } from '../jobs/context.js'
import type { JobKind } from '../jobs/runner.js'
import type { Usage } from '../occupancy/usage.js'
import { defineMachine } from './definition.js'
import { groupByHypervisor, type JobMachine, type MachineJobDeps } from './jobs.js'
import { makeOverlays } from './populate-overlays.js'

export interface PopulateInput {
  readonly initial: { readonly id: string; readonly name: string }
  readonly generation: {
    readonly id: string
    readonly name: string
    readonly file: string
    readonly sha256: string
    readonly bytes: number
  }
  readonly machines: readonly JobMachine[]
  readonly force: boolean
  readonly start: boolean
}

export interface PopulateDeps extends MachineJobDeps {
  readonly images: ImageDeps
  readonly usage: Usage
}

/** One request to the helper carries so many overlays. */
const BATCH = 50
const DEFINES_AT_ONCE = 4
/** What has not been switched off yet when a cancel comes stays on. */
const OFF_AT_ONCE = 8

/**
 * *Populate machines*: overlays on one generation and the domains on them, in batches per
 * hypervisor and in parallel over hypervisors.
 */
export function populateJob(deps: PopulateDeps): JobKind<PopulateInput> {
  return {
    kind: 'populate',
    run: async (context) => {
      const { initial, machines } = context.input
      const hosts = groupByHypervisor(machines)
      await Promise.all(
        [...hosts].map(async ([hypervisor, there]) => {
          try {
            await populateHost(deps, context, hypervisor, there)
          } catch (error) {
            await failOpenTargets(
              context,
              [hypervisor, ...there.map((machine) => machine.name)],
              error,
            )
            // a host that is away is asked at the next populate
            await noteBases(deps, initial.id, hypervisor, there).catch(() => {})
          }
        }),
      )
      context.refuseIfCancelled()
    },
  }
}

/** An answer was lost, or a cancel came between the effect and its entry: on what the overlays stand is looked up. */
async function noteBases(
  deps: PopulateDeps,
  initialId: string,
  hypervisor: string,
  machines: readonly JobMachine[],
): Promise<void> {
  const { items } = await deps.hypervisors
    .link(hypervisor)
    .request<{ items: Array<{ name: string; base: string | null }> }>('overlay_list', {})
  const generations = await deps.store
    .selectFrom('generation')
    .select(['id', 'file'])
    .where('initial_id', '=', initialId)
    .execute()
  for (const { id, name } of machines) {
    const base = items.find((item) => item.name === `${name}.qcow2`)?.base
    const generation = generations.find(({ file }) => file === base)
    if (generation)
      await deps.store
        .updateTable('machine')
        .set({ generation_id: generation.id })
        .where('id', '=', id)
        .execute()
  }
}

async function failOpenTargets(
  context: JobContext<PopulateInput>,
  names: readonly string[],
  error: unknown,
): Promise<void> {
  const open = await context.deps.store
    .selectFrom('job_target')
    .select('name')
    .where('job_id', '=', context.job.id)
    .where('name', 'in', [...names])
    .where('state', 'in', ['pending', 'running'])
    .execute()
  for (const { name } of open) await endFailed(context as JobContext<unknown>, name, error)
}

async function populateHost(
  deps: PopulateDeps,
  context: JobContext<PopulateInput>,
  hypervisor: string,
  machines: readonly JobMachine[],
): Promise<void> {
  const { generation, initial } = context.input
  const mine = await withoutForeign(deps, context, hypervisor, machines)
  await context.step(hypervisor, 'carry', async () => {
    await deps.observer.requireOff(initial.name)
    await ensureOnHypervisor(deps.images, generation, hypervisor, context.signal, (done, total) => {
      context.progress(hypervisor, done, total)
    })
  })
  await context.end(hypervisor, 'done')
  const free = await setApart(deps, context, hypervisor, mine)
  for (let from = 0; from < free.length; from += BATCH) {
    context.refuseIfCancelled()
    await populateBatch(deps, context, hypervisor, free.slice(from, from + BATCH))
  }
  deps.observer.look(hypervisor)
  if (context.input.start)
    await Promise.all(
      free.map(async (machine) => {
        await startOne(deps, context, machine)
      }),
    )
}

/** Ends those in whose place something lies that Berth did not make, before anything is changed; gives the others. */
async function withoutForeign(
  deps: PopulateDeps,
  context: JobContext<PopulateInput>,
  hypervisor: string,
  machines: readonly JobMachine[],
): Promise<JobMachine[]> {
  const inTheWay = await context.patiently(async () => {
    await markOldDisks(deps.images, hypervisor)
    return await whatIsInTheWay(
      deps.hypervisors.link(hypervisor),
      machines.map(({ id, name }) => ({
        name,
        uuid: id,
        dir: 'overlays',
        file: `${name}.qcow2`,
        owner: id,
      })),
    )
  })
  for (const [name, { message }] of inTheWay) await context.end(name, 'failed', message)
  return machines.filter(({ name }) => !inTheWay.has(name))
}

/**
 * Marks the machines in use for later; with force nobody is spared. What was decided is journaled,
 * since it decides over people's work.
 */
async function setApart(
  deps: PopulateDeps,
  context: JobContext<PopulateInput>,
  hypervisor: string,
  machines: readonly JobMachine[],
): Promise<JobMachine[]> {
  const used = await context.step(hypervisor, 'who is in use', async () => {
    await deps.observer.lookNow(hypervisor)
    const reasons: Record<string, string> = {}
    for (const { id } of machines) {
      const reason = await deps.usage.reason(id)
      if (reason !== null) reasons[id] = reason
    }
    return reasons
  })
  const kept = context.input.force ? [] : machines.filter(({ id }) => id in used)
  for (const { id, name } of kept) {
    await deps.store
      .updateTable('machine')
      .set({ wanted_generation_id: context.input.generation.id })
      .where('id', '=', id)
      .execute()
    await context.end(
      name,
      'skipped',
      `In use (${used[id] ?? ''}): it is renewed on ${context.input.generation.name} when it is released.`,
    )
  }
  return machines.filter((machine) => !kept.includes(machine))
}

async function populateBatch(
  deps: PopulateDeps,
  context: JobContext<PopulateInput>,
  hypervisor: string,
  batch: readonly JobMachine[],
): Promise<void> {
  const open = batch.filter(({ name }) => !context.isDone(name, 'overlay'))
  const ready = new Set(batch.filter(({ name }) => context.isDone(name, 'overlay')))
  const off: JobMachine[] = []
  await pMap(
    open,
    async (machine) => {
      const isOff = await attempt(context, machine, async () => {
        context.refuseIfCancelled()
        await context.patiently(async () => {
          await makeOff(deps, machine)
        })
      })
      if (isOff) off.push(machine)
    },
    { concurrency: OFF_AT_ONCE },
  )
  context.refuseIfCancelled()
  for (const machine of await makeOverlays(
    deps,
    context,
    hypervisor,
    open.filter((machine) => off.includes(machine)),
  ))
    ready.add(machine)
  // Also after a cancel: a machine whose disk was made is of use only with its domain.
  const withoutDomain = [...ready].filter(({ name }) => !context.isDone(name, 'define'))
  await pMap(withoutDomain, async (machine) => await defineOne(deps, context, machine), {
    concurrency: DEFINES_AT_ONCE,
  })
}

async function defineOne(
  deps: PopulateDeps,
  context: JobContext<PopulateInput>,
  machine: JobMachine,
): Promise<void> {
  const { id, name } = machine
  const defined = await attempt(context, machine, async () => {
    await context.patiently(async () => {
      await defineMachine(deps, id)
    })
  })
  if (!defined) return
  await context.record([name], 'define', null)
  if (!context.input.start)
    await context.end(
      name,
      'done',
      context.input.force ? 'Renewed at once; what was open on it is lost.' : '',
    )
}

/** Cuts the power of a machine that is not in use, or whose user was overruled. */
async function makeOff(deps: PopulateDeps, machine: JobMachine): Promise<void> {
  const row = await deps.store
    .selectFrom('machine')
    .selectAll()
    .where('id', '=', machine.id)
    .executeTakeFirstOrThrow()
  if (row.power !== 'off' && row.power !== 'missing') await deps.power.powerOff(row)
}

async function startOne(
  deps: PopulateDeps,
  context: JobContext<PopulateInput>,
  machine: JobMachine,
): Promise<void> {
  await attempt(context, machine, async () => {
    await context.step(
      machine.name,
      'start',
      async () => await deps.power.act(machine.id, 'start', 0, context.signal),
    )
    await context.end(machine.name, 'done')
  })
}

async function attempt(
  context: JobContext<PopulateInput>,
  machine: JobMachine,
  act: () => Promise<void>,
): Promise<boolean> {
  try {
    await act()
    return true
  } catch (error) {
    await endFailed(context as JobContext<unknown>, machine.name, error)
    return false
  }
}
