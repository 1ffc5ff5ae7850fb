import pMap from 'p-map'
import type { Logger } from 'pino'
import { inBackground } from '../background.js'
import type { Leftover as ShownLeftover } from '../api/machines.js'
import { BERTH, recordEvent } from '../audit/store.js'
import { BrokerError, refusal, sentenceOf } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { BatchItem } from '../hypervisors/helper-channel.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { LeftoverRow } from '../store/tables.js'

export interface LeftoverDeps {
  readonly store: Store
  readonly events: Events
  readonly hypervisors: Hypervisors
  readonly log: Logger
}

/** A domain (owner: its UUID) or a file of Berth's (owner: for whom it was made) that is to go. */
export type Leftover = Pick<LeftoverRow, 'kind' | 'name' | 'owner' | 'made_by'>

const LOOK_EVERY_MS = 60_000
const AT_ONCE = 8
const KINDS: ReadonlyArray<LeftoverRow['kind']> = ['domain', 'overlay', 'image']

/**
 * What must still be removed from hosts. It is noted in the transaction that forgets the machine,
 * so that neither a crash nor a host that is away leaves anything behind for ever; removed at once
 * where the host is up, else when it is back. Only what is named by UUID or carries the right mark
 * is removed.
 */
export class Leftovers {
  readonly #clearing = new Map<string, Promise<void>>()
  /** Those that have not begun: they read what was noted until then. */
  readonly #waiting = new Map<string, Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(readonly deps: LeftoverDeps) {}

  start(): void {
    const { events, hypervisors } = this.deps
    events.subscribe('hypervisorReady', (name) => {
      this.#clearSoon(name)
    })
    this.#timer = setInterval(() => {
      for (const name of hypervisors.names()) this.#clearSoon(name)
    }, LOOK_EVERY_MS)
    for (const name of hypervisors.names()) this.#clearSoon(name)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await Promise.all(this.#clearing.values())
  }

  /** Notes what is to be removed, inside the caller's transaction; call `clear` when it is committed. */
  async note(tx: Queries, hypervisor: string, leftovers: readonly Leftover[]): Promise<void> {
    for (const leftover of leftovers)
      await tx
        .insertInto('leftover')
        .values({ ...leftover, hypervisor, noted_at: Date.now() })
        .onConflict((oc) => oc.doNothing())
        .execute()
  }

  /** Throws `not_found` for a hypervisor that does not exist. */
  async show(hypervisor: string): Promise<ShownLeftover[]> {
    this.deps.hypervisors.row(hypervisor)
    return (await this.list(hypervisor)).map(({ kind, name, noted_at: at, fault }) => ({
      hypervisor,
      kind,
      name,
      notedAt: new Date(at).toISOString(),
      fault,
    }))
  }

  async list(hypervisor: string): Promise<LeftoverRow[]> {
    return await this.deps.store
      .selectFrom('leftover')
      .selectAll()
      .where('hypervisor', '=', hypervisor)
      .orderBy('id')
      .execute()
  }

  /**
   * Removes what was noted for this host, if it is up. What does not succeed is tried again later.
   * Calls while one waits for its turn make one.
   */
  async clear(hypervisor: string): Promise<void> {
    const waiting = this.#waiting.get(hypervisor)
    if (waiting) return await waiting
    const before = this.#clearing.get(hypervisor) ?? Promise.resolve()
    const clearing = before
      .then(async () => {
        this.#waiting.delete(hypervisor)
        await this.#clear(hypervisor)
      })
      .catch((error: unknown) => {
        if (!this.#stopped)
          this.deps.log.warn({ err: error, hypervisor }, 'what jobs left could not be removed yet')
      })
    this.#waiting.set(hypervisor, clearing)
    this.#clearing.set(hypervisor, clearing)
    await clearing
    if (this.#clearing.get(hypervisor) === clearing) this.#clearing.delete(hypervisor)
  }

  #clearSoon(hypervisor: string): void {
    inBackground({
      log: this.deps.log,
      what: 'machines.leftovers',
      work: () => this.clear(hypervisor),
    })
  }

  async #clear(hypervisor: string): Promise<void> {
    if (this.#stopped || !this.deps.hypervisors.names().includes(hypervisor)) return
    const link = this.deps.hypervisors.link(hypervisor)
    if (link.status().state !== 'up') return
    const rows = await this.list(hypervisor)
    // Domains come first, then overlays: a file is refused while a machine has it open, and an
    // image while an overlay stands on it.
    for (const kind of KINDS) {
      const isUp = await this.#removeAll(
        link,
        rows.filter((row) => row.kind === kind),
      )
      if (!isUp) return
    }
  }

  /** False when the host has gone away: the rest waits until it is back. */
  async #removeAll(link: HypervisorLink, rows: readonly LeftoverRow[]): Promise<boolean> {
    let isUp = true
    await pMap(
      rows,
      async (row) => {
        if (this.#stopped || !isUp) return
        try {
          await this.#done(row, await remove(link, row))
        } catch (error) {
          await this.#failed(row, error)
          if (error instanceof BrokerError && error.code === 'hypervisor_unreachable') isUp = false
        }
      },
      { concurrency: AT_ONCE },
    )
    return isUp && !this.#stopped
  }

  async #done(row: LeftoverRow, stays: string | null): Promise<void> {
    await inTransaction(this.deps.store, async (tx) => {
      await tx.deleteFrom('leftover').where('id', '=', row.id).execute()
      const action = stays === null ? 'hypervisor.leftover-removed' : 'hypervisor.leftover-kept'
      await recordEvent(tx, BERTH, action, `hypervisor:${row.hypervisor}`, {
        kind: row.kind,
        name: row.name,
        ...(stays === null ? {} : { reason: stays }),
      })
    })
  }

  async #failed(row: LeftoverRow, error: unknown): Promise<void> {
    const fault = sentenceOf(error)
    if (fault === row.fault) return
    await this.deps.store.updateTable('leftover').set({ fault }).where('id', '=', row.id).execute()
    this.deps.log.warn({ err: error, hypervisor: row.hypervisor, name: row.name }, fault)
  }
}

/** Removes one; gives why it stays when it turns out not to be Berth's. */
async function remove(link: HypervisorLink, row: LeftoverRow): Promise<string | null> {
  try {
    if (row.kind === 'domain') await removeDomain(link, { name: row.name, uuid: row.owner })
    else await removeFile(link, row)
    return null
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'foreign') return sentenceOf(error)
    throw error
  }
}

async function removeDomain(
  link: HypervisorLink,
  domain: { name: string; uuid: string },
): Promise<void> {
  const found = (await link.listDomains()).find(({ uuid }) => uuid === domain.uuid)
  if (found && found.power !== 'off' && found.power !== 'crashed') await link.destroyDomain(domain)
  await link.request('domain_undefine', { name: domain.name, uuid: domain.uuid })
}

async function removeFile(link: HypervisorLink, row: LeftoverRow): Promise<void> {
  const { items } = await link.request<{ items: BatchItem[] }>('image_remove', {
    dir: row.kind === 'overlay' ? 'overlays' : 'images',
    items: [{ name: row.name, owner: row.owner, made_by: row.made_by }],
  })
  const [item] = items
  if (item && !item.ok)
    throw refusal(item.error?.code === 'foreign' ? 'host_has_foreign' : 'host_refused', {
      hypervisor: link.name,
      said: item.error?.message ?? 'no reason given',
    })
}
