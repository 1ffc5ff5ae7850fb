import type { Logger } from 'pino'
import type { Hypervisor, HypervisorAdd, HypervisorPatch } from '../api/hypervisors.js'
import type { AuditAction } from '../audit/actions.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Events } from '../events/bus.js'
import type { Occupancy } from '../occupancy/occupancy.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { HypervisorRow } from '../store/tables.js'
import { mapInTurns } from '../turn.js'
import { figuresOfHosts, type HostFigures } from './figures.js'
import type {
  HypervisorLink,
  LinkSettings,
  LinkStatus,
  ManagedLink,
  OpenLink,
} from './hypervisor.js'
import type { Findings } from './prepare.js'
import { Readying } from './readying.js'
import { shownHypervisor } from './shown.js'
import { scanHostKey } from './ssh-connection.js'
import {
  deleteHypervisor,
  insertHypervisor,
  linkSettings,
  newHypervisor,
  refuseTwin,
  requireVirtType,
} from './store.js'

export interface HypervisorsDeps {
  readonly store: Store
  readonly events: Events
  readonly log: Logger
  readonly occupancy: Occupancy
  readonly openLink: OpenLink
  /** Makes the host ready each time its line comes up (certificate, kind of virtualisation). */
  readonly prepare: (link: HypervisorLink, row: HypervisorRow, findings: Findings) => Promise<void>
}

/** The hypervisors and their lines. */
export class Hypervisors {
  readonly #rows = new Map<string, HypervisorRow>()
  readonly #links = new Map<string, ManagedLink>()
  readonly #readying: Readying

  constructor(readonly deps: HypervisorsDeps) {
    this.#readying = new Readying({
      ...deps,
      prepare: async (name) => {
        await deps.prepare(this.link(name), this.row(name), {
          virtType: (type) => this.#found(name, { virt_type: type }),
          listen: (address) => this.#found(name, { listen_found: address }),
        })
      },
    })
  }

  async start(): Promise<void> {
    for (const row of await this.deps.store.selectFrom('hypervisor').selectAll().execute())
      this.#open(row)
  }

  async stop(): Promise<void> {
    this.#readying.stop()
    await Promise.all(
      [...this.#links.values()].map(async (link) => {
        await link.close()
      }),
    )
  }

  /** Throws `not_found`. */
  row(name: string): HypervisorRow {
    const row = this.#rows.get(name)
    if (!row) throw refusal('hypervisor_unknown', { hypervisor: name })
    return row
  }

  link(name: string): HypervisorLink {
    this.row(name)
    const link = this.#links.get(name)
    if (!link) throw refusal('hypervisor_not_connected', { hypervisor: name })
    return link
  }

  names(): string[] {
    return [...this.#rows.keys()]
  }

  /** The kind of virtualisation its guests run under; throws while it has not been probed. */
  virtType(name: string): 'kvm' | 'qemu' {
    return requireVirtType(this.row(name))
  }

  async show(name: string): Promise<Hypervisor> {
    this.row(name)
    return this.#toApi(name, await figuresOfHosts(this.deps.store, name))
  }

  async list(): Promise<Hypervisor[]> {
    const figures = await figuresOfHosts(this.deps.store)
    // One that is removed meanwhile is left out.
    const names = this.names().sort()
    const listed = await mapInTurns(names, (name) =>
      this.#rows.has(name) ? [this.#toApi(name, figures)] : [],
    )
    return listed.flat()
  }

  #toApi(name: string, { machines, drains }: HostFigures): Hypervisor {
    return shownHypervisor(
      this.row(name),
      this.#links.get(name)?.status(),
      this.deps.occupancy.observation(name),
      this.#readying.whyNot(name),
      machines.get(name) ?? 0,
      drains.get(name) ?? null,
    )
  }

  async scan(
    address: string,
    port = 22,
  ): Promise<{ address: string; port: number; keyType: string; fingerprint: string }> {
    return { address, port, ...(await scanHostKey(address, port)) }
  }

  async add(wish: HypervisorAdd, by: Actor): Promise<Hypervisor> {
    const port = wish.port ?? 22
    refuseTwin([...this.#rows.values()], wish, port)
    const row = newHypervisor(wish, port)
    await insertHypervisor(this.deps.store, row, by)
    this.#open(row)
    return await this.show(row.name)
  }

  async change(name: string, patch: HypervisorPatch, by: Actor): Promise<Hypervisor> {
    const row = this.row(name)
    const directories = {
      images: row.images_dir,
      overlays: row.overlays_dir,
      transient: row.transient_dir,
      ...patch.directories,
    }
    const { count } = await this.deps.store
      .selectFrom('machine')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('hypervisor', '=', name)
      .executeTakeFirstOrThrow()
    if (patch.directories && count > 0)
      throw refusal('hypervisor_directories_used', { hypervisor: name, count })
    await this.#update(
      name,
      {
        display_address: patch.displayAddress ?? row.display_address,
        listen_address: patch.listenAddress ?? row.listen_address,
        ...(patch.displayAddress === undefined ? {} : { listen_found: null }),
        virt_type_setting: patch.virtType ?? row.virt_type_setting,
        max_starts: patch.maxStarts ?? row.max_starts,
        images_dir: directories.images,
        overlays_dir: directories.overlays,
        transient_dir: directories.transient,
      },
      by,
      'hypervisor.change',
      patch,
    )
    if (patch.directories || patch.displayAddress) this.#links.get(name)?.reconnect()
    return await this.show(name)
  }

  /** Pins the key that the host shows now; it must be the one that the administrator has seen. */
  async trust(name: string, fingerprint: string, by: Actor): Promise<Hypervisor> {
    const row = this.row(name)
    const offered = await scanHostKey(row.address, row.port)
    if (offered.fingerprint !== fingerprint)
      throw refusal('host_key_other', {
        hypervisor: name,
        offered: offered.fingerprint,
        fingerprint,
      })
    await this.#update(name, { host_key_fingerprint: fingerprint }, by, 'hypervisor.trust', {
      before: row.host_key_fingerprint,
      after: fingerprint,
    })
    this.#links.get(name)?.reconnect()
    return await this.show(name)
  }

  async hostKeys(
    name: string,
  ): Promise<{ pinned: string; offered: string | null; reason?: string }> {
    const { address, port, host_key_fingerprint: pinned } = this.row(name)
    return await scanHostKey(address, port).then(
      ({ fingerprint }) => ({ pinned, offered: fingerprint }),
      (error: unknown) => ({
        pinned,
        offered: null,
        reason: error instanceof Error ? error.message.slice(0, 200) : '',
      }),
    )
  }

  /** Its end is also the end of a drain. `within`: what else the same transaction records. */
  async setMaintenance(
    name: string,
    on: boolean,
    reason: string,
    by: Actor,
    within: (tx: Queries) => Promise<void> = async () => {},
  ): Promise<Hypervisor> {
    this.row(name)
    await this.#update(
      name,
      { maintenance: on ? 1 : 0, maintenance_reason: on ? reason : '' },
      by,
      `hypervisor.maintenance-${on ? 'on' : 'off'}`,
      { reason },
      async (tx) => {
        if (!on) await tx.deleteFrom('drain').where('hypervisor', '=', name).execute()
        await within(tx)
      },
    )
    this.deps.events.publish('hypervisorChanged', name)
    return await this.show(name)
  }

  /**
   * Forgets the hypervisor; what lies on the host stays. Its machines must be gone, or are
   * forgotten too with `force`.
   */
  async remove(name: string, force: boolean, by: Actor): Promise<void> {
    this.row(name)
    await deleteHypervisor(this.deps.store, name, force, by)
    const link = this.#links.get(name)
    this.#links.delete(name)
    this.#rows.delete(name)
    this.#readying.end(name)
    await link?.close()
    this.deps.events.publish('hypervisorChanged', name)
  }

  async #update(
    name: string,
    change: Partial<HypervisorRow>,
    by: Actor,
    action: AuditAction,
    detail: unknown,
    within: (tx: Queries) => Promise<void> = async () => {},
  ): Promise<void> {
    await inTransaction(this.deps.store, async (tx) => {
      await tx.updateTable('hypervisor').set(change).where('name', '=', name).execute()
      await recordEvent(tx, by, action, `hypervisor:${name}`, detail)
      await within(tx)
    })
    this.#rows.set(name, { ...this.row(name), ...change })
  }

  /** Records what was found on the host when its line came up. */
  async #found(
    name: string,
    found: Partial<Pick<HypervisorRow, 'virt_type' | 'listen_found'>>,
  ): Promise<void> {
    await this.deps.store.updateTable('hypervisor').set(found).where('name', '=', name).execute()
    this.#rows.set(name, { ...this.row(name), ...found })
  }

  #open(row: HypervisorRow): void {
    const { name } = row
    this.#rows.set(name, row)
    const settings = (): LinkSettings => linkSettings(this.row(name))
    this.#links.set(
      name,
      this.deps.openLink(name, settings, {
        onEvent: (event) => {
          this.deps.events.publish('hypervisorSaid', name, event)
        },
        onStatus: (status) => {
          this.#onStatus(name, status)
        },
      }),
    )
  }

  #onStatus(name: string, { state }: LinkStatus): void {
    this.#readying.end(name)
    this.deps.events.publish('hypervisorChanged', name)
    if (state === 'up') this.#readying.begin(name)
  }
}
