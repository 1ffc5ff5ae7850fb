import type { Logger } from 'pino'
import type { Choice } from '../api/thin-clients.js'
import { type Actor, BERTH, recordEvent } from '../audit/store.js'
import type { Seat } from '../consoles/policy.js'
import type { Consoles } from '../consoles/service.js'
import { seatOf } from '../consoles/store.js'
import type { Events } from '../events/bus.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import type { AccountRow, DeviceLoginRow, ThinClientRow } from '../store/tables.js'
import { type Caller, callerFor } from '../users/caller.js'
import { isSeatOf, loginOver } from './login-policy.js'
import { loginsWithSeats } from './logins-with-seats.js'

export interface DeviceLoginsDeps {
  readonly store: Store
  readonly events: Events
  readonly consoles: Consoles
  readonly log: Logger
  readonly idleMs: number
  readonly now: () => number
}

/** A person who is logged in at a device. */
export interface DeviceLogin {
  readonly row: DeviceLoginRow
  readonly person: Caller
}

const LOOK_EVERY_MS = 5_000
/** How long the screen says why a login is over. */
const TELL_END_MS = 60_000
/** How exactly it is kept when somebody was last seen. */
const SEEN_STEP_MS = 20_000

/**
 * Who is logged in at which thin client: one person at a device, and at no other. An end is
 * recorded first; then the viewer that they left there is ended, again and again until that succeeds.
 * `onChange`: a device is told something else from now on.
 */
export class DeviceLogins {
  /** Devices that are just being given a ticket: what their seat says is not settled. */
  readonly #opening = new Set<string>()
  readonly #ended = new Map<string, { sentence: string; atMs: number }>()
  #startedAt: number
  #timer: NodeJS.Timeout | undefined
  #work: Promise<void> = Promise.resolve()

  constructor(
    readonly deps: DeviceLoginsDeps,
    readonly onChange: (deviceId: string) => void,
  ) {
    this.#startedAt = deps.now()
  }

  start(): void {
    const { events } = this.deps
    this.#startedAt = this.deps.now()
    events.subscribe('assignmentEnded', (machineId) => {
      this.#do(async () => {
        await this.#endOf(machineId, 'Your desktop was taken back.')
      })
    })
    events.subscribe('consoleRevoked', (machineId) => {
      this.#do(async () => {
        await this.#endOf(machineId, 'You may not use this desktop any more.')
      })
    })
    this.#timer = setInterval(() => {
      this.#do(async () => {
        await this.#look()
      })
    }, LOOK_EVERY_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#work
  }

  /** Who is logged in at the device now. */
  async of(device: ThinClientRow): Promise<DeviceLogin | null> {
    const row = await this.#row(device.id)
    if (!row || row.ends !== null) return null
    const why = this.#whyOver(row, await this.#seat(row))
    if (why !== null) {
      await this.end(device.id, why, BERTH, row.since)
      return null
    }
    const account = await this.deps.store
      .selectFrom('account')
      .selectAll()
      .where('name', '=', row.account)
      .where('disabled', '=', 0)
      .executeTakeFirst()
    return account
      ? {
          row,
          person: await callerFor(this.deps.store, account, {
            address: device.address,
            token: '',
            scopes: null,
            expiresAt: null,
          }),
        }
      : null
  }

  async names(): Promise<ReadonlyMap<string, string>> {
    const rows = await this.deps.store
      .selectFrom('device_login')
      .select(['thin_client_id', 'account'])
      .where('ends', 'is', null)
      .execute()
    return new Map(rows.map((row) => [row.thin_client_id, row.account]))
  }

  /** Why the last login at this device ended a moment ago, or null. */
  whyEnded(deviceId: string): string | null {
    const ended = this.#ended.get(deviceId)
    return ended && performance.now() - ended.atMs < TELL_END_MS ? ended.sentence : null
  }

  /** Logs them in here, and out wherever else they were; their choice comes with them. */
  async begin(device: ThinClientRow, account: AccountRow): Promise<void> {
    const now = this.deps.now()
    const by = { actor: account.name, address: device.address }
    await this.end(device.id, 'Somebody has logged in again.', by)
    const left = await inTransaction(this.deps.store, async (tx) => {
      const others = await tx
        .selectFrom('device_login')
        .selectAll()
        .where('account', '=', account.name)
        .where('thin_client_id', '!=', device.id)
        .where('ends', 'is', null)
        .execute()
      await tx
        .updateTable('device_login')
        .set({ ends: 'You have logged in at another thin client.' })
        .where('account', '=', account.name)
        .where('ends', 'is', null)
        .execute()
      const values = {
        account: account.name,
        since: now,
        seen_at: now,
        choice_kind: others[0]?.choice_kind ?? null,
        choice: others[0]?.choice ?? null,
        machine_id: null,
        ticket_at: null,
        ends: null,
      }
      await tx
        .insertInto('device_login')
        .values({ thin_client_id: device.id, ...values })
        .onConflict((oc) => oc.column('thin_client_id').doUpdateSet(values))
        .execute()
      await recordEvent(tx, by, 'thin-client.login', `thin-client:${device.id}`, {
        mac: device.mac,
        ...(others[0] ? { before: others[0].thin_client_id } : {}),
      })
      return others
    })
    this.#ended.delete(device.id)
    for (const row of left)
      await this.#finish({ ...row, ends: 'You have logged in at another thin client.' }, by)
    this.onChange(device.id)
  }

  async choose(device: ThinClientRow, choice: Pick<Choice, 'kind' | 'name'>): Promise<void> {
    await this.deps.store
      .updateTable('device_login')
      .set({ choice_kind: choice.kind, choice: choice.name, seen_at: this.deps.now() })
      .where('thin_client_id', '=', device.id)
      .where('ends', 'is', null)
      .execute()
    this.onChange(device.id)
  }

  /** Runs what may give the device a ticket, and notes for which machine it got one: its viewer comes now. */
  async noteTicket<
    T extends { readonly state: string; readonly machine: { readonly id: string } | null },
  >(deviceId: string, open: () => Promise<T>): Promise<T> {
    this.#opening.add(deviceId)
    try {
      const opened = await open()
      const now = this.deps.now()
      const change = { machine_id: opened.machine?.id ?? null, ticket_at: now, seen_at: now }
      if (opened.state === 'ready')
        await this.deps.store
          .updateTable('device_login')
          .set(change)
          .where('thin_client_id', '=', deviceId)
          .where('ends', 'is', null)
          .execute()
      return opened
    } finally {
      this.#opening.delete(deviceId)
    }
  }

  /** The device shows a desktop, or did a moment ago. */
  async noteShown(deviceId: string): Promise<void> {
    const now = this.deps.now()
    await this.deps.store
      .updateTable('device_login')
      .set({ seen_at: now })
      .where('thin_client_id', '=', deviceId)
      .where('seen_at', '<', now - SEEN_STEP_MS)
      .execute()
  }

  /** Why the device is to close what it shows of this machine; null: it may go on. */
  async over(deviceId: string, machineId: string): Promise<string | null> {
    const row = await this.#row(deviceId)
    return row?.machine_id === machineId ? row.ends : null
  }

  /** Ends the login at a device, and its viewer. `since`: only the login that began then. */
  async end(deviceId: string, because: string, by: Actor = BERTH, since?: number): Promise<void> {
    const row = await this.#row(deviceId)
    if (!row || (since !== undefined && row.since !== since)) return
    await this.deps.store
      .updateTable('device_login')
      .set({ ends: because })
      .where('thin_client_id', '=', deviceId)
      .where('since', '=', row.since)
      .where('ends', 'is', null)
      .execute()
    await this.#finish({ ...row, ends: row.ends ?? because }, by)
  }

  #row(deviceId: string): Promise<DeviceLoginRow | undefined> {
    return this.deps.store
      .selectFrom('device_login')
      .selectAll()
      .where('thin_client_id', '=', deviceId)
      .executeTakeFirst()
  }

  /** Nobody looks any more at what they had opened there; then the login is forgotten. */
  async #finish(row: DeviceLoginRow & { ends: string }, by: Actor): Promise<void> {
    const { store, consoles, log } = this.deps
    this.#ended.set(row.thin_client_id, { sentence: row.ends, atMs: performance.now() })
    this.onChange(row.thin_client_id)
    try {
      const machine =
        row.machine_id === null
          ? undefined
          : await store
              .selectFrom('machine')
              .select(['id', 'name', 'hypervisor'])
              .where('id', '=', row.machine_id)
              .executeTakeFirst()
      const seat = machine ? await seatOf(store, machine.id) : null
      if (machine && seat && isSeatOf(row, seat) && seat.disconnectedAt === null)
        await consoles.revoke(machine, by, seat.holder)
    } catch (error) {
      log.info(
        { err: error, device: row.thin_client_id },
        'the viewer of a login that is over could not be ended yet',
      )
      return
    }
    await inTransaction(store, async (tx) => {
      const { numDeletedRows } = await tx
        .deleteFrom('device_login')
        .where('thin_client_id', '=', row.thin_client_id)
        .where('since', '=', row.since)
        .executeTakeFirst()
      if (numDeletedRows === 1n)
        await recordEvent(tx, by, 'thin-client.logout', `thin-client:${row.thin_client_id}`, {
          person: row.account,
          because: row.ends,
        })
    })
    this.onChange(row.thin_client_id)
  }

  /** The desktop is no longer theirs. */
  async #endOf(machineId: string, because: string): Promise<void> {
    const rows = await this.deps.store
      .selectFrom('device_login')
      .selectAll()
      .where('machine_id', '=', machineId)
      .where('ends', 'is', null)
      .execute()
    for (const row of rows) await this.end(row.thin_client_id, because, BERTH, row.since)
  }

  async #look(): Promise<void> {
    for await (const { row, disabled, seat } of loginsWithSeats(this.deps.store)) {
      if (row.ends === null && !disabled && this.#whyOver(row, seat) === null) continue
      const why = row.ends ?? (disabled ? 'The account is disabled.' : await this.#whyOverNow(row))
      if (why !== null) await this.end(row.thin_client_id, why, BERTH, row.since)
    }
    for (const [id, ended] of this.#ended)
      if (performance.now() - ended.atMs > TELL_END_MS) this.#ended.delete(id)
  }

  /** The same as things stand at this moment: many rows were read at once, and what follows cuts somebody off. */
  async #whyOverNow({ thin_client_id: id, since }: DeviceLoginRow): Promise<string | null> {
    const row = await this.#row(id)
    if (row?.since !== since) return null
    return row.ends ?? this.#whyOver(row, await this.#seat(row))
  }

  async #seat({ machine_id: id }: DeviceLoginRow): Promise<Seat | null> {
    return id === null ? null : await seatOf(this.deps.store, id)
  }

  #whyOver(row: DeviceLoginRow, seat: Seat | null): string | null {
    if (this.#opening.has(row.thin_client_id)) return null
    return loginOver(row, seat, this.deps.now(), this.#startedAt, this.deps.idleMs)
  }

  #do(act: () => Promise<void>): void {
    this.#work = this.#work.then(act).catch((error: unknown) => {
      this.deps.log.error({ err: error }, 'looking after the logins at thin clients failed')
    })
  }
}
