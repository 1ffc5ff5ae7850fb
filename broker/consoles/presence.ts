import type { Logger } from 'pino'
import type { Session } from '../api/consoles.js'
import type { Holder } from '../api/machines.js'
import { BERTH, recordEvent } from '../audit/store.js'
import type { Observer } from '../machines/observer.js'
import type { Store } from '../store/open.js'
import { actorName, holds, plainAddress, type Seat, seatChange } from './policy.js'
import { noteSeat, openSeats, seatOf } from './store.js'
import type { Open, Tunnels } from './tunnels.js'

export interface PresenceDeps {
  readonly store: Store
  readonly observer: Observer
  readonly tunnels: Tunnels
  readonly log: Logger
  readonly now: () => number
}

/** What presence tells: `opened` and `closed` once for each console. */
export interface PresenceEvents {
  readonly onOpened: (machineId: string, holder: Holder | null) => void
  readonly onClosed: (machineId: string, holder: Holder | null) => void
}

/**
 * Joins what QEMU says (which addresses are connected) with what the broker knows (to whom the last ticket was given). The seats are in the database, the
 * viewers are asked anew after a restart: who left meanwhile is noted at the first look.
 */
export class Presence {
  #work: Promise<void> = Promise.resolve()
  /** Viewers that were given no ticket here, by machine: since when. */
  readonly #strangers = new Map<string, number>()

  constructor(
    readonly deps: PresenceDeps,
    readonly events: PresenceEvents,
  ) {}

  start(): void {
    const { observer } = this.deps
    observer.on('viewers', (machineId) => {
      this.#lookAgain(machineId)
    })
    observer.on('looked', (hypervisor) => {
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
    const { store, observer, tunnels, now } = this.deps
    const machines = await store
      .selectFrom('machine')
      .select(['id', 'name', 'hypervisor'])
      .where('power', '!=', 'off')
      .$if(names !== undefined, (q) => q.where('name', 'in', [...(names ?? []), '']))
      .orderBy('name')
      .execute()
    const found: Session[] = []
    for (const machine of machines) {
      const place = { machine: machine.name, hypervisor: machine.hypervisor }
      for (const one of tunnels.of(machine.id))
        if (one.kind === 'screen' || one.kind === 'watch')
          found.push({ ...place, ...ofScreen(one) })
      const [viewer] = observer.atDisplay(machine.id)
      if (viewer === undefined) continue
      const seat = await seatOf(store, machine.id)
      found.push({
        ...place,
        protocol: 'spice',
        watching: false,
        ...(seat && holds(seat, now())
          ? ofSeat(seat, viewer)
          : this.#ofStranger(machine.id, viewer)),
      })
    }
    return found
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
    const viewers = this.deps.observer.atScreen(machineId)
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
    const noted = await this.deps.store.transaction().execute(async (tx) => {
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
    if (opened) this.events.onOpened(machineId, seat.holder)
    else this.events.onClosed(machineId, seat.holder)
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
    if (viewer === undefined) this.events.onClosed(machineId, null)
    else this.events.onOpened(machineId, null)
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
