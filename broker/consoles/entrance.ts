import type { Holder } from '../api/machines.js'
import { recordEvent } from '../audit/store.js'
import { type BrokerError, refusal } from '../errors/broker-error.js'
import type { Hypervisors } from '../hypervisors/service.js'
import { type DisplayItem, lookOf } from '../machines/displays.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'
import {
  actorName,
  consoleStep,
  type Occupant,
  occupantOf,
  plainAddress,
  sameHolder,
  type SeatVia,
} from './policy.js'
import type { Asker, ConsoleMachine } from './asker.js'
import { putSeat, seatOf } from './store.js'
import type { Tunnels } from './tunnels.js'

export interface EntranceDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly tunnels: Tunnels
  readonly now: () => number
  /** Whether they may cut somebody else's console (verb takeConsole); who may, is told whose it is. */
  readonly mayTake: (asker: Holder, machineId: string) => Promise<boolean>
  /** Whether they may see who has a console. */
  readonly mayKnow: (asker: Holder, machineId: string) => Promise<boolean>
}

/**
 * What a wish for a screen says. `loginVerbs`: what the login that asks may do with the machine,
 * where that is less than its account may (a token with scopes); absent: everything.
 */
export interface EntranceWish {
  readonly take?: boolean
  readonly loginVerbs?: ReadonlySet<string>
}
/**
 * What was found: whether the machine runs, who has its screen, at which addresses QEMU itself has
 * viewers, and whether SPICE has one or may still get one.
 */
export interface Found {
  readonly running: boolean
  readonly occupant: Occupant | null
  readonly atDisplay: readonly string[]
  readonly spice: boolean
}

/** One seat a machine, however its screen is reached: who has it, who may come in, and to whom it was given last. */
export class Entrance {
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(readonly deps: EntranceDeps) {}

  /** One wish for a machine after the other: what was found must still be so when it is acted on. */
  async inTurn<T>(machineId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(machineId) ?? Promise.resolve()
    const mine = before.then(work, work)
    const settled = mine.then(
      () => {},
      () => {},
    )
    this.#turns.set(machineId, settled)
    try {
      return await mine
    } finally {
      if (this.#turns.get(machineId) === settled) this.#turns.delete(machineId)
    }
  }

  /** Who is there, as QEMU says now; the observer's picture may be a moment old. */
  async find(machine: ConsoleMachine): Promise<Found> {
    const { store, hypervisors, tunnels, now } = this.deps
    const seat = await seatOf(store, machine.id)
    const { items } = await hypervisors
      .link(machine.hypervisor)
      .request<{ items: DisplayItem[] }>('displays', { domains: [machine.name] })
    const atDisplay = items.map(lookOf).flatMap((look) => {
      if ('fault' in look)
        throw refusal('host_late', { hypervisor: machine.hypervisor, said: look.fault })
      return look.viewers.map(plainAddress)
    })
    const screens = tunnels
      .of(machine.id)
      .filter(({ kind }) => kind === 'screen')
      .map(({ address }) => plainAddress(address))
    return {
      running: items.length > 0,
      occupant: occupantOf(seat, [...screens, ...atDisplay], now()),
      atDisplay,
      spice: atDisplay.length > 0 || seat?.via !== 'browser',
    }
  }

  /** Gives whether the other one is to be cut. Throws `console_in_use` and `forbidden`. */
  async decide(
    machine: ConsoleMachine,
    asker: Asker,
    occupant: Occupant | null,
    { take = false, loginVerbs }: EntranceWish,
  ): Promise<boolean> {
    const login = (verbs: readonly string[]): boolean =>
      loginVerbs === undefined || verbs.some((verb) => loginVerbs.has(verb))
    const mayTake = take && login(['takeConsole']) && (await this.deps.mayTake(asker, machine.id))
    const step = consoleStep(occupant, {
      holder: asker,
      address: plainAddress(asker.address),
      take,
      mayTake,
    })
    if (step === 'give' || step === 'take') return step === 'take'
    if (step === 'forbid') throw refusal('console_not_to_take', { machine: machine.name })
    const mayKnow = login(['takeConsole', 'assign']) && (await this.deps.mayKnow(asker, machine.id))
    throw inUse(machine.name, occupant, mayKnow)
  }

  /** What the one who is cut is told: the name only where they may know it. */
  async takenReason(from: Occupant, by: Asker, machineId: string): Promise<string> {
    const known = from.holder !== null && (await this.deps.mayKnow(from.holder, machineId))
    return known ? `the console was taken over by ${actorName(by)}` : 'the console was taken over'
  }

  /** Notes to whom a ticket was given, in place of the one before. */
  async noteTicket(
    machine: ConsoleMachine,
    asker: Asker,
    via: SeatVia,
    cut: Occupant | null,
  ): Promise<void> {
    const holder = { kind: asker.kind, name: asker.name }
    const by = { actor: actorName(asker), address: asker.address }
    await inTransaction(this.deps.store, async (tx) => {
      const before = await seatOf(tx, machine.id) // presence may have noted something meanwhile
      const same = before !== null && sameHolder(before.holder, holder)
      await putSeat(tx, machine.id, {
        holder,
        address: plainAddress(asker.address),
        via,
        ticketAt: this.deps.now(),
        connectedAt: same ? before.connectedAt : null,
        disconnectedAt: null,
      })
      if (asker.kind === 'person')
        await recordEvent(tx, by, 'console.ticket', `machine:${machine.name}`, { via })
      if (cut)
        await recordEvent(tx, by, 'console.take', `machine:${machine.name}`, {
          from: cut.holder ? actorName(cut.holder) : '',
          address: cut.address,
          since: new Date(cut.sinceMs).toISOString(),
        })
    })
  }
}

function inUse(machine: string, occupant: Occupant | null, mayKnow: boolean): BrokerError {
  const isOpening = occupant?.connected === false
  if (!occupant || !mayKnow)
    return refusal(isOpening ? 'console_opening' : 'console_held', { machine })
  const { holder, address, sinceMs } = occupant
  const seat = { machine, address, since: new Date(sinceMs) }
  if (!holder) return refusal('console_held_without_ticket', seat)
  return refusal(isOpening ? 'console_opening_by' : 'console_held_by', {
    ...seat,
    person: actorName(holder),
  })
}
