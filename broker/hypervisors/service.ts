import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type {
  Capacity,
  Directories,
  Hypervisor,
  HypervisorAdd,
  HypervisorPatch,
} from '../api/hypervisors.js'
import type { AuditAction } from '../audit/actions.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { BrokerError, sentenceOf } from '../errors.js'
import type { Events } from '../events/bus.js'
import type { Observation, Occupancy } from '../occupancy/occupancy.js'
import type { Queries, Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { HypervisorRow } from '../store/tables.js'
import { mapInTurns } from '../turn.js'
import { figuresOfHosts, type HostFigures } from './figures.js'
import { listenOf } from './listen.js'
import type { HypervisorLink, LinkEvents, LinkSettings, LinkStatus } from './hypervisor.js'
import type { Findings } from './prepare.js'
import { scanHostKey } from './ssh-connection.js'

/** A link that can be told to connect again, with the settings as they are then. */
export type ManagedLink = HypervisorLink & { reconnect(): void }
export type OpenLink = (
  name: string,
  settings: () => LinkSettings,
  events: LinkEvents,
) => ManagedLink

export interface HypervisorsDeps {
  readonly store: Store
  readonly events: Events
  readonly log: Logger
  readonly occupancy: Occupancy
  readonly openLink: OpenLink
  /** Makes the host ready each time its line comes up (certificate, kind of virtualisation). */
  readonly prepare: (link: HypervisorLink, row: HypervisorRow, findings: Findings) => Promise<void>
}

export const DEFAULT_DIRECTORIES: Directories = {
  images: '/var/lib/berth/images',
  overlays: '/var/lib/berth/overlays',
  transient: '/var/lib/berth/transient',
}
const DEFAULT_MAX_STARTS = 2
const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 60_000

/** The hypervisors and their lines. */
export class Hypervisors {
  readonly #rows = new Map<string, HypervisorRow>()
  readonly #links = new Map<string, ManagedLink>()
  readonly #preparing = new Map<string, AbortController>()
  /** Why a host that is up cannot be worked with yet. */
  readonly #unready = new Map<string, string>()

  constructor(readonly deps: HypervisorsDeps) {}

  async start(): Promise<void> {
    for (const row of await this.deps.store.selectFrom('hypervisor').selectAll().execute())
      this.#open(row)
  }

  async stop(): Promise<void> {
    for (const preparing of this.#preparing.values()) preparing.abort()
    await Promise.all(
      [...this.#links.values()].map(async (link) => {
        await link.close()
      }),
    )
  }

  /** Throws `not_found`. */
  row(name: string): HypervisorRow {
    const row = this.#rows.get(name)
    if (!row)
      throw new BrokerError(
        'not_found',
        `There is no hypervisor ${name}: "berth hypervisor list" shows all.`,
      )
    return row
  }

  link(name: string): HypervisorLink {
    this.row(name)
    const link = this.#links.get(name)
    if (!link) throw new BrokerError('hypervisor_unreachable', `${name} is not connected.`)
    return link
  }

  names(): string[] {
    return [...this.#rows.keys()]
  }

  /** The kind of virtualisation its guests run under; throws while it has not been probed. */
  virtType(name: string): 'kvm' | 'qemu' {
    const row = this.row(name)
    const type = row.virt_type_setting === 'auto' ? row.virt_type : row.virt_type_setting
    if (!type)
      throw new BrokerError(
        'hypervisor_unreachable',
        `It is not known yet whether ${name} runs guests under kvm: wait until it is up, or set --virt-type.`,
      )
    return type
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
    return toApi(
      this.row(name),
      this.#links.get(name)?.status(),
      this.deps.occupancy.observation(name),
      this.#unready.get(name) ?? null,
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
    if (this.#rows.has(wish.name))
      throw new BrokerError(
        'name_taken',
        `There is a hypervisor ${wish.name} already: choose another name.`,
      )
    const twin = [...this.#rows.values()].find(
      (row) => row.address === wish.address && row.port === port,
    )
    if (twin)
      throw new BrokerError(
        'name_taken',
        `${wish.address} port ${port} is the hypervisor ${twin.name} already.`,
      )
    const directories = { ...DEFAULT_DIRECTORIES, ...wish.directories }
    const row: HypervisorRow = {
      name: wish.name,
      address: wish.address,
      port,
      display_address: wish.displayAddress ?? wish.address,
      listen_address: wish.listenAddress ?? 'auto',
      listen_found: null,
      host_key_fingerprint: wish.fingerprint,
      virt_type_setting: wish.virtType ?? 'auto',
      virt_type: null,
      images_dir: directories.images,
      overlays_dir: directories.overlays,
      transient_dir: directories.transient,
      max_starts: wish.maxStarts ?? DEFAULT_MAX_STARTS,
      maintenance: 0,
      maintenance_reason: '',
      created_at: Date.now(),
    }
    await inTransaction(this.deps.store, async (tx) => {
      const machine = await tx
        .selectFrom('machine')
        .select('name')
        .where('name', '=', row.name)
        .executeTakeFirst()
      if (machine)
        throw new BrokerError(
          'name_taken',
          `There is a machine ${machine.name} already, and jobs name both: choose another name for the hypervisor.`,
        )
      await tx.insertInto('hypervisor').values(row).execute()
      await recordEvent(tx, by, 'hypervisor.add', `hypervisor:${row.name}`, {
        address: row.address,
        fingerprint: row.host_key_fingerprint,
      })
    })
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
      throw new BrokerError(
        'has_dependants',
        `${name} has ${count} machines whose disks lie in its directories: delete them first.`,
      )
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
      throw new BrokerError(
        'host_key_changed',
        `${name} shows ${offered.fingerprint} now, not ${fingerprint}: look again before you trust it.`,
      )
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
    const row = this.row(name)
    try {
      return {
        pinned: row.host_key_fingerprint,
        offered: (await scanHostKey(row.address, row.port)).fingerprint,
      }
    } catch (error) {
      return {
        pinned: row.host_key_fingerprint,
        offered: null,
        reason: error instanceof Error ? error.message.slice(0, 200) : '',
      }
    }
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
    await inTransaction(this.deps.store, async (tx) => {
      const machines = await tx
        .selectFrom('machine')
        .select('name')
        .where('hypervisor', '=', name)
        .limit(6)
        .execute()
      if (machines.length > 0 && !force) {
        throw new BrokerError(
          'has_dependants',
          `${name} still has machines (${machines
            .map((machine) => machine.name)
            .slice(0, 5)
            .join(
              ', ',
            )}${machines.length > 5 ? ', …' : ''}): delete them first, or use --force to forget them.`,
        )
      }
      await tx
        .updateTable('machine')
        .set({ parent_id: null, generation_id: null, wanted_generation_id: null })
        .where('hypervisor', '=', name)
        .execute()
      await tx
        .updateTable('machine')
        .set({ parent_id: null, generation_id: null, wanted_generation_id: null })
        .where('parent_id', 'in', (eb) =>
          eb.selectFrom('machine').select('id').where('hypervisor', '=', name),
        )
        .execute()
      await tx.deleteFrom('machine').where('hypervisor', '=', name).execute()
      await tx.deleteFrom('hypervisor').where('name', '=', name).execute()
      await recordEvent(tx, by, 'hypervisor.remove', `hypervisor:${name}`, { force })
    })
    const link = this.#links.get(name)
    this.#links.delete(name)
    this.#rows.delete(name)
    this.#preparing.get(name)?.abort()
    this.#preparing.delete(name)
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
    const settings = (): LinkSettings => {
      const now = this.row(name)
      return {
        name,
        address: now.address,
        port: now.port,
        hostKeyFingerprint: now.host_key_fingerprint,
        directories: {
          images: now.images_dir,
          overlays: now.overlays_dir,
          transient: now.transient_dir,
        },
      }
    }
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

  /**
   * A host that is up is worked with when it is prepared; what fails is tried again, and shown,
   * until the line is lost.
   */
  async #makeReady(name: string, lost: AbortSignal): Promise<void> {
    for (let waitMs = FIRST_RETRY_MS; !lost.aborted; waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
      const link = this.#links.get(name)
      if (!link) return
      try {
        await this.deps.prepare(link, this.row(name), {
          virtType: (type) => this.#found(name, { virt_type: type }),
          listen: (address) => this.#found(name, { listen_found: address }),
        })
        if (lost.aborted) return
        if (this.#unready.delete(name)) this.deps.events.publish('hypervisorChanged', name)
        this.deps.events.publish('hypervisorReady', name)
        return
      } catch (error) {
        if (lost.aborted) return
        this.deps.log.error({ err: error, hypervisor: name }, 'hypervisor could not be made ready')
        this.#unready.set(name, sentenceOf(error))
        this.deps.events.publish('hypervisorChanged', name)
      }
      await delay(waitMs, undefined, { signal: lost, ref: false }).catch(() => {}) // the line was lost
    }
  }

  #onStatus(name: string, { state }: LinkStatus): void {
    this.#preparing.get(name)?.abort()
    this.#preparing.delete(name)
    this.#unready.delete(name)
    this.deps.events.publish('hypervisorChanged', name)
    if (state !== 'up') return
    const lost = new AbortController()
    this.#preparing.set(name, lost)
    this.#makeReady(name, lost.signal).catch((error: unknown) => {
      this.deps.log.error({ err: error, hypervisor: name }, 'preparing a hypervisor failed')
    })
  }
}

function toApi(
  row: HypervisorRow,
  status: LinkStatus | undefined,
  observation: Observation,
  unready: string | null,
  machines: number,
  drain: Hypervisor['drain'],
): Hypervisor {
  const facts = status?.facts ?? null
  return {
    name: row.name,
    address: row.address,
    port: row.port,
    displayAddress: row.display_address,
    listenAddress: listenOf(row),
    listenAddressSetting: row.listen_address,
    ...stateOf(row, status, observation, unready),
    since: new Date(status?.sinceMs ?? row.created_at).toISOString(),
    observed: observedIn(status, observation),
    maintenance: row.maintenance === 1,
    drain,
    hostKeyFingerprint: row.host_key_fingerprint,
    virtType: row.virt_type_setting === 'auto' ? row.virt_type : row.virt_type_setting,
    virtTypeSetting: row.virt_type_setting,
    directories: {
      images: row.images_dir,
      overlays: row.overlays_dir,
      transient: row.transient_dir,
    },
    maxStarts: row.max_starts,
    capacity: facts && capacityOf(facts),
    versions: facts && {
      libvirt: facts.libvirt_version ?? 'unknown',
      qemu: facts.qemu_version ?? 'unknown',
      helper: facts.helper_version,
    },
    machines,
  }
}

/** A host that is up and cannot be looked at says so in the place where one that is away does. */
function stateOf(
  row: HypervisorRow,
  status: LinkStatus | undefined,
  observation: Observation,
  unready: string | null,
): Pick<Hypervisor, 'state' | 'reason'> {
  const reason = status?.state === 'up' ? troubleOf(observation, unready) : (status?.reason ?? '')
  if (row.maintenance !== 1) return { state: status?.state ?? 'connecting', reason }
  const why = row.maintenance_reason || 'Put in maintenance.'
  return { state: 'maintenance', reason: [why, reason].filter(Boolean).join(' ') }
}

function observedIn(
  status: LinkStatus | undefined,
  { current, ageMs, reason }: Observation,
): Hypervisor['observed'] {
  return {
    current: status?.state === 'up' && current,
    at: ageMs === null ? null : new Date(Date.now() - ageMs).toISOString(),
    reason,
  }
}

function troubleOf({ current, reason }: Observation, unready: string | null): string {
  if (unready !== null) return `It is not ready to be worked with, and is tried again: ${unready}`
  if (reason === '') return ''
  return current
    ? `It was not to be seen just now. ${reason}`
    : `What happens on it is not known, so everything on it counts as in use. ${reason}`
}

function capacityOf(facts: NonNullable<LinkStatus['facts']>): Capacity {
  const { images, overlays } = facts.directories
  return {
    cores: facts.cores,
    memoryMib: facts.memory_mib,
    memoryFreeMib: facts.memory_free_mib,
    imagesFreeBytes: images.free_bytes,
    imagesTotalBytes: images.total_bytes,
    overlaysFreeBytes: overlays.free_bytes,
  }
}
