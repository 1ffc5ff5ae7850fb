import type { Logger } from 'pino'
import type { Events } from '../events/bus.js'
import type { BatchItem } from '../hypervisors/helper-channel.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { StepHook } from '../jobs/context.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { GenerationRow } from '../store/tables.js'
import { markOldDisks, markOldImages } from './old-files.js'
import { copiesOf, unusedGenerations } from './store.js'

interface CollectDeps {
  readonly store: Store
  readonly link: (hypervisor: string) => HypervisorLink
  readonly hook?: StepHook
}
export interface CollectorDeps {
  readonly store: Store
  readonly events: Events
  readonly hypervisors: Hypervisors
  readonly log: Logger
  readonly hook?: StepHook
}

/** What a host refused or a lost line left is tried again after this time at the latest. */
const LOOK_EVERY_MS = 30_000

/**
 * Removes generations that nobody uses any more, after the job that left them and not within it:
 * nobody waits for it. What is to be removed follows from the database alone, so it goes on after a
 * crash; it looks when a job has let machines go, when a host comes back, and by timer.
 */
export class Collector {
  readonly #swept = new Set<string>()
  readonly #deps: CollectDeps
  #timer: NodeJS.Timeout | undefined
  #pass: Promise<void> | undefined
  #again = false
  #stopping = false

  constructor(readonly deps: CollectorDeps) {
    this.#deps = {
      store: deps.store,
      link: (name) => deps.hypervisors.link(name),
      ...(deps.hook ? { hook: deps.hook } : {}),
    }
  }

  start(): void {
    const { events } = this.deps
    events.subscribe('jobReleased', () => {
      this.wake()
    })
    events.subscribe('hypervisorReady', (name) => {
      this.#swept.delete(name)
      this.wake()
    })
    this.#timer = setInterval(() => {
      this.wake()
    }, LOOK_EVERY_MS)
    this.wake()
  }

  /** Begins nothing any more; `rest` ends when what runs has ended, which it does when the lines are closed. */
  stop(): void {
    this.#stopping = true
    clearInterval(this.#timer)
  }

  /** Looks now; many calls make one look more than the one that runs. */
  wake(): void {
    if (this.#stopping) return
    this.#again = true
    this.#pass ??= this.#run().finally(() => {
      this.#pass = undefined
      if (this.#again) this.wake()
    })
  }

  async rest(): Promise<void> {
    while (this.#pass) await this.#pass
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopping) {
      this.#again = false
      await this.#attempt('unused images could not be looked up', async () => {
        const rows = await this.deps.store
          .selectFrom('generation')
          .select('initial_id')
          .distinct()
          .where('current', '=', 0)
          .where('state', 'in', ['ready', 'collecting'])
          .execute()
        for (const { initial_id: id } of rows)
          await this.#attempt('unused images could not be removed yet', async () => {
            await collectUnused(this.#deps, id)
          })
        for (const name of this.deps.hypervisors.names())
          await this.#attempt('what interrupted copies left could not be removed yet', async () => {
            await this.#sweep(name)
          })
      })
    }
  }

  async #attempt(failure: string, act: () => Promise<void>): Promise<void> {
    if (this.#stopping) return
    try {
      await act()
    } catch (error) {
      if (!this.#stopping) this.deps.log.warn({ err: error }, failure)
    }
  }

  /** Once for each time that a host comes up: what a crash of either side left there belongs to nobody. */
  async #sweep(hypervisor: string): Promise<void> {
    if (
      this.#swept.has(hypervisor) ||
      this.deps.hypervisors.link(hypervisor).status().state !== 'up'
    )
      return
    await removeOrphanParts(this.#deps, [hypervisor])
    await markOldDisks(this.#deps, hypervisor)
    await markOldImages(this.#deps, hypervisor)
    this.#swept.add(hypervisor)
  }
}

/**
 * Removes the unused generations of an initial, and what interrupted copies left on its hosts,
 * where the hosts are up. Safe to repeat.
 */
export async function collectGenerations(deps: CollectDeps, initialId: string): Promise<void> {
  await collectUnused(deps, initialId)
  await removeOrphanParts(deps, await homesOf(deps.store, initialId))
}

async function collectUnused(deps: CollectDeps, initialId: string): Promise<void> {
  // In one transaction: from then on no populate is given them, and none that was given one before is overlooked.
  const unused = await inTransaction(deps.store, async (tx) => {
    const rows = await unusedGenerations(tx, initialId)
    for (const { id } of rows)
      await tx.updateTable('generation').set({ state: 'collecting' }).where('id', '=', id).execute()
    return rows
  })
  for (const generation of unused) await removeGeneration(deps, generation)
  // a carry that nobody will end
  if (unused.length > 0) await removeOrphanParts(deps, await homesOf(deps.store, initialId))
}

/** One that lies on a host that is away is removed another time; so is one that the host does not give up. */
async function removeGeneration(
  { store, link, hook }: CollectDeps,
  generation: GenerationRow,
): Promise<void> {
  const at = (when: 'before' | 'after'): void => {
    hook?.({ kind: 'collect', target: generation.file, step: 'remove', when })
  }
  at('before')
  for (const hypervisor of await copiesOf(store, generation.id)) {
    if (link(hypervisor).status().state !== 'up') continue
    await markOldImages({ store, link }, hypervisor, generation.initial_id)
    const { items } = await link(hypervisor).request<{ items: BatchItem[] }>('image_remove', {
      dir: 'images',
      items: [{ name: generation.file, owner: generation.id }],
    })
    // A file of that name which is not this generation is somebody else's: it stays, and is nothing
    // that Berth has there.
    if (items.every((item) => item.ok || item.error?.code === 'foreign'))
      await store
        .deleteFrom('generation_copy')
        .where('generation_id', '=', generation.id)
        .where('hypervisor', '=', hypervisor)
        .execute()
  }
  if ((await copiesOf(store, generation.id)).length > 0) return
  at('after')
  await store
    .deleteFrom('generation')
    .where('id', '=', generation.id)
    .where('state', '=', 'collecting')
    .execute()
}

async function homesOf(store: Store, initialId: string): Promise<string[]> {
  const rows = await store
    .selectFrom('machine')
    .select('hypervisor')
    .distinct()
    .where((eb) => eb.or([eb('id', '=', initialId), eb('parent_id', '=', initialId)]))
    .execute()
  return rows.map((row) => row.hypervisor)
}

/** A part stays for the carry that goes on from it, as long as its generation is wanted. */
async function removeOrphanParts(
  { store, link }: CollectDeps,
  hypervisors: readonly string[],
): Promise<void> {
  const wanted = await store
    .selectFrom('generation')
    .select('file')
    .where('state', 'in', ['copying', 'ready'])
    .execute()
  for (const hypervisor of hypervisors) {
    if (link(hypervisor).status().state === 'up')
      await link(hypervisor).request('parts_remove', {
        keep: wanted.map((generation) => generation.file),
      })
  }
}
