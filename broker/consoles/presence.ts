import type { Logger } from 'pino'
import type { Session } from '../api/consoles.js'
import type { Holder } from '../api/machines.js'
import { BERTH, recordEvent } from '../audit/store.js'
import type { Events } from '../events/bus.js'
import type { Observer } from '../machines/observer.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import { actorName, holds, plainAddress, type Seat, seatChange } from './policy.js'
import { noteSeat, openSeats, seatsOf, seatOf } from './store.js'
import type { Open, Tunnels } from './tunnels.js'

export interface PresenceDeps {
  readonly store: Store
  readonly events: Events
  readonly observer: Observer
  readonly tunnels: Tunnels
  readonly log: Logger
  readonly now: () => number
}

/** So many machines are asked about in one question. */
const AT_ONCE = 500

/**
 * Joins what QEMU says (which addresses are connected) with what the broker knows (to whom the last
 * ticket was given). The seats are in the database, the viewers are asked again after a restart: who
 * left meanwhile is noted at the first look.
 */
export class Presence {
  #work: Promise<void> = Promise.resolve()
  /** Viewers that were given no ticket here, by machine: since when. */
  readonly #strangers = new Map<string, number>()

  constructor(readonly deps: PresenceDeps) {}

  start(): void {
    const { events } = this.deps
    events.subscribe('viewersChanged', (machineId) => {
      this.#lookAgain(machineId)
    })
    events.subscribe('hypervisorSeen', (hypervisor) => {
      this.#then(async () => {
        for (const { machineId, seat } of await openSeats(this.deps.store, hypervisor))
          await this.#look(machineId, seat)
      })
    })
  }

  /** Ends when everything that was seen has been noted. */
  async settled(): Promise<void> {
    await this.#work
  }

  /** Every console that is connected now, by machine; with `names`, those of these machines. */
  async sessions(names?: readonly string[]): Promise<Session[]> {
    const { observer, tunnels, now } = this.deps
    const ids = [...new Set([...tunnels.machines(), ...observer.occupancy.occupied()])]
    const found: Session[] = []
    for (let from = 0; from < ids.length; from += AT_ONCE)
      for (const row of await this.#seats(ids.slice(from, from + AT_ONCE), names)) {
        const place = { machine: row.name, hypervisor: row.hypervisor }
        for (const one of tunnels.of(row.id))
          if (one.kind === 'screen' || one.kind === 'watch')
            found.push({ ...place, ...ofScreen(one) })
        const [viewer] = observer.occupancy.atDisplay(row.id)
        if (viewer === undefined) continue
        const seat = row.seat
        found.push({
          ...place,
          protocol: 'spice',
          watching: false,
          ...(seat && holds(seat, now()) ? ofSeat(seat, viewer) : this.#ofStranger(row.id, viewer)),
        })
      }
    return found.sort((a, b) => (a.machine < b.machine ? -1 : a.machine > b.machine ? 1 : 0))
  }

  /** These machines, unless they are off, with the seats of their consoles. */
  async #seats(
    ids: readonly string[],
    names: readonly string[] | undefined,
  ): Promise<Array<{ id: string; name: string; hypervisor: string; seat: Seat | null }>> {
    const { store } = this.deps
    const machines = await store
      .selectFrom('machine')
      .select(['id', 'name', 'hypervisor'])
      .where('id', 'in', [...ids])
      .where('power', '!=', 'off')
      .$if(names !== undefined, (q) => q.where('name', 'in', [...(names ?? []), '']))
      .execute()
    const seats = await seatsOf(store, ids)
    return machines.map((machine) => ({ ...machine, seat: seats.get(machine.id) ?? null }))
  }

  #ofStranger(
    machineId: string,
    viewer: string,
  ): Pick<Session, 'holder' | 'address' | 'via' | 'since'> {
    return {
      holder: null,
      address: viewer,
      via: 'direct',
      since: new Date(this.#strangers.get(machineId) ?? this.deps.now()).toISOString(),
    }
  }

  #lookAgain(machineId: string): void {
    this.#then(async () => {
      await this.#look(machineId, await seatOf(this.deps.store, machineId))
    })
  }

  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      this.deps.log.error({ err: error }, 'noting who is connected failed')
    })
  }

  async #look(machineId: string, seat: Seat | null): Promise<void> {
    const { occupancy } = this.deps.observer
    const viewers = occupancy.atScreen(machineId)
    if (viewers.length === 0 && occupancy.unknown(machineId) !== null) return // that nobody is there has not been said
    const now = this.deps.now()
    const change = seat && seatChange(seat, viewers, now)
    if (seat && change !== null) await this.#note(machineId, seat, change, now)
    if (!seat || !holds(seat, now) || this.#strangers.has(machineId))
      await this.#noteStranger(machineId, viewers[0], now)
  }

  async #note(
    machineId: string,
    seat: Seat,
    change: 'opened' | 'closed',
    now: number,
  ): Promise<void> {
    const opened = change === 'opened'
    const noted = await inTransaction(this.deps.store, async (tx) => {
      if (
        !(await noteSeat(
          tx,
          machineId,
          seat,
          opened
            ? { connected_at: now, disconnected_at: null }
            : { connected_at: null, disconnected_at: now },
        ))
      )
        return false
      const name = await tx
        .selectFrom('machine')
        .select('name')
        .where('id', '=', machineId)
        .executeTakeFirst()
      const detail = {
        via: seat.via,
        ...(opened ? {} : { seconds: Math.round((now - (seat.connectedAt ?? now)) / 1000) }),
      }
      await recordEvent(
        tx,
        { actor: actorName(seat.holder), address: seat.address },
        opened ? 'console.open' : 'console.close',
        `machine:${name?.name ?? machineId}`,
        detail,
      )
      return true
    })
    if (!noted) {
      this.#lookAgain(machineId) // another ticket was given meanwhile
      return
    }
    this.#tell(machineId, opened, seat.holder)
  }

  /** A viewer without a ticket of ours, such as virt-manager on the host, is in the log too. */
  async #noteStranger(machineId: string, viewer: string | undefined, now: number): Promise<void> {
    const known = this.#strangers.has(machineId)
    if ((viewer !== undefined) === known) return
    if (viewer === undefined) this.#strangers.delete(machineId)
    else this.#strangers.set(machineId, now)
    const name = await this.deps.store
      .selectFrom('machine')
      .select('name')
      .where('id', '=', machineId)
      .executeTakeFirst()
    await recordEvent(
      this.deps.store,
      BERTH,
      viewer === undefined ? 'console.close' : 'console.open',
      `machine:${name?.name ?? machineId}`,
      { unknownViewer: viewer ?? '' },
    )
    this.#tell(machineId, viewer !== undefined, null)
  }

  /** Once for each console. */
  #tell(machineId: string, opened: boolean, holder: Holder | null): void {
    const { events } = this.deps
    if (opened) events.publish('consoleOpened', machineId, holder)
    else events.publish('consoleClosed', machineId, holder)
  }
}

function ofScreen({ kind, holder, address, since }: Open): Omit<Session, 'machine' | 'hypervisor'> {
  return {
    holder,
    address: plainAddress(address),
    protocol: 'vnc',
    via: 'browser',
    since: new Date(since).toISOString(),
    watching: kind === 'watch',
  }
}

/** Through the proxy QEMU sees the host itself; where the person is, the ticket says. */
function ofSeat(seat: Seat, viewer: string): Pick<Session, 'holder' | 'address' | 'via' | 'since'> {
  return {
    holder: seat.holder,
    address: seat.via === 'proxy' ? seat.address : viewer,
    via: seat.via === 'proxy' ? 'proxy' : 'direct',
    since: new Date(seat.connectedAt ?? seat.ticketAt).toISOString(),
  }
}
